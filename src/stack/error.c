/* error.c - errors in a few words (RFC 9293 section 3.9.1 has names for some of them). */
#include "stack/stack.h"

static const char *const texts[] = {
    [-HF_OK] = "no error",
    [-HF_ERR_WOULD_BLOCK] = "nothing to be had now",
    [-HF_ERR_INVALID] = "invalid argument",
    [-HF_ERR_STALE_HANDLE] = "connection does not exist",
    [-HF_ERR_NO_RESOURCES] = "insufficient resources",
    [-HF_ERR_EXISTS] = "connection already exists",
    [-HF_ERR_CLOSING] = "connection closing",
    [-HF_ERR_NOT_CONNECTED] = "not connected",
    [-HF_ERR_RESET] = "connection reset",
    [-HF_ERR_REFUSED] = "connection refused",
    [-HF_ERR_TIMED_OUT] = "connection timed out",
    [-HF_ERR_ABORTED] = "connection aborted",
    [-HF_ERR_NET_UNREACHABLE] = "network unreachable",
    [-HF_ERR_HOST_UNREACHABLE] = "host unreachable",
    [-HF_ERR_PORT_UNREACHABLE] = "port unreachable",
    [-HF_ERR_PROTO_UNREACHABLE] = "protocol unreachable",
    [-HF_ERR_NO_PORTS] = "no free local port",
    [-HF_ERR_NO_ADDRESS] = "not an address of this stack",
    [-HF_ERR_UNSUPPORTED] = "not supported in this version",
    [-HF_ERR_TOO_LARGE] = "too large",
    [-HF_ERR_MISMATCH] = "made by another build, or damaged",
    [-HF_ERR_PROHIBITED] = "administratively prohibited",
};

const char *hf_error_text(int error)
{
    return error <= 0 && error > -(int)ARRAY_LEN(texts) ? texts[-error] : "unknown error";
}
