/* tcp_options.h - kinds and lengths of TCP options, RFC 9293 section 3.2 and the RFCs named here.
 */
#ifndef WIRE_TCP_OPTIONS_H
#define WIRE_TCP_OPTIONS_H

enum {
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,    /* RFC 7323          */
    KIND_SACK_OK = 4,   /* RFC 2018          */
    KIND_SACK = 5,      /* RFC 2018          */
    KIND_TS = 8,        /* RFC 7323          */
    KIND_MD5 = 19,      /* RFC 2385          */
    KIND_UTO = 28,      /* RFC 5482          */
    KIND_AO = 29,       /* RFC 5925          */
    KIND_FASTOPEN = 34, /* RFC 7413          */
    KIND_ACCECN0 = 172, /* RFC 9768          */
    KIND_ACCECN1 = 174, /* RFC 9768          */
    KIND_EXPERIMENT = 254,
};

enum {
    BYTES_MSS = 4,
    BYTES_WSCALE = 3,
    BYTES_SACK_OK = 2,
    BYTES_SACK = 2, /* and 8 a block  */
    BYTES_SACK_BLOCK = 8,
    BYTES_TS = 10,
    BYTES_MD5 = 18,
    BYTES_UTO = 4,
    BYTES_AO_MIN = 4,
    BYTES_FASTOPEN = 2,     /* and the cookie */
    BYTES_FASTOPEN_EXP = 4, /* and the cookie */
    MAX_OPTION_BYTES = 40,
    MIN_COOKIE = 4,
};

/* RFC 6994 experiment identifier of Fast Open, used before kind 34 was assigned. */
enum { FASTOPEN_MAGIC = 0xf989 };

#endif
