# What a stack's block is made of, as one number (hf_attach): of the text of these headers, so that
# a change of what a field means counts as one of its size does.  The same wherever it is built.

function(hf_block_hash root outcome)
    set(texts "")
    set(watch CONFIGURE_DEPENDS)
    if(CMAKE_SCRIPT_MODE_FILE) # a test asks
        set(watch "")
    endif()
    foreach(pattern IN ITEMS include/handfast/handfast.h include/handfast/policy.h
            include/handfast/trace.h src/base/*.h src/wire/*.h src/tcp/*.h src/stack/*.h)
        file(GLOB headers ${watch} ${root}/${pattern})
        foreach(header IN LISTS headers)
            file(SHA256 ${header} text)
            string(APPEND texts ${text})
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
        endforeach()
    endforeach()
    string(SHA256 all "${texts}")
    string(SUBSTRING ${all} 0 8 number)
    set(${outcome} 0x${number}u PARENT_SCOPE)
endfunction()
