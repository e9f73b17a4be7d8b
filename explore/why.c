/* why.c - the rules that `handfast why` takes out, and where their absence is seen soonest. */
#include "side.h"

#include <stddef.h>
#include <string.h>

static const struct explore_why whys[] = {
    {"three-way-handshake",
     "A server's connection is open once its own SYN has been acknowledged: the third segment "
     "proves that the other side wants this connection, and wants it now (RFC 9293 3.5).",
     NULL,
     "a server takes its own SYN,ACK for acknowledged",
     "A gives up before its SYN arrives, so to B it is an old SYN. A single segment cannot tell "
     "old from new: without the rule B is left with an open connection that A does not have. With "
     "it B asks (SYN,ACK), A answers with a reset, and B is back in LISTEN.",
     {.name = "three-way-handshake",
      .flight = 2,
      .unjudged = true,
      .losses = 1,
      .listens = {false, true},
      .opens = {1, 0},
      .patient = true}},
    {"four-way-close",
     "Each side ends its own direction with a FIN, and each FIN is acknowledged: four segments. "
     "Who has sent a FIN goes on receiving until the other side has ended, too (RFC 9293 3.6).",
     NULL,
     "the FIN of one side ends both directions",
     "B's text is lost, and A's FIN comes before B has sent it again. Without the rule B forgets "
     "the connection and its text with it, and A, whose FIN is answered by a reset, never gets it. "
     "With it B is in CLOSE-WAIT, where it may still send: the text goes again, and then B's FIN.",
     {.name = "four-way-close",
      .flight = 2,
      .unjudged = true,
      .losses = 1,
      .listens = {false, true},
      .opens = {1, 0},
      .sends = {0, 1}}},
    {"2msl",
     "Who has closed first keeps the connection in TIME-WAIT for two maximum segment lifetimes. "
     "Until then the same two sockets open no other connection, and then none of its segments can "
     "be left (RFC 9293 3.4.2, 3.6.1).",
     "Initial numbers of one connection and the next are 1 apart here, as if the ISN clock of RFC "
     "9293 3.4.1 had counted once between them, so that numbers of the one are numbers of the "
     "other, too. The clock counts 250,000 a second; who sends faster overtakes it. It is rare all "
     "the same: the same sockets are used again at once, a copy is late by just so much, and there "
     "are no timestamps, which would give it away (RFC 7323 5). Resets do not end TIME-WAIT here "
     "(hf_policy.tw_ignore_rst, RFC 1337); where they do, it takes one more old segment. Other "
     "things go wrong sooner, such as an old SYN that opens a connection; what is looked for is "
     "text.",
     "a connection is forgotten as soon as both directions are closed",
     "A copy of B's first text is still on its way when both have closed. Without the rule A opens "
     "at once again; the copy's SEQ and ACK fit into the new connection, and A's application reads "
     "octets that nobody has sent there. With it OPEN is refused, the copy meets TIME-WAIT and is "
     "known to be old, as all else is that was still on its way; 2MSL later nothing is left.",
     {.name = "2msl",
      .flight = 3,
      .unjudged = true,
      .duplicates = 1,
      .isn_step = 1,
      .tw_ignore_rst = true,
      .listens = {false, true},
      .opens = {2, 0},
      .sends = {1, 1},
      .seek = WRONG_TEXT}},
    {"random-isn",
     "A connection begins with a number that nobody else can guess: a clock, plus a hash of its "
     "sockets and a secret (RFC 6528, RFC 9293 3.4.1).",
     "Somebody else sends segments with A's address on them; he sees none of B's.",
     "every connection begins with the same number",
     "Whoever knows B's next number need not see its SYN,ACK to acknowledge it. Without the rule B "
     "has an open connection with A's address, and A knows of none. With it the guess is wrong (he "
     "would need some 2^32 of them): B resets it, stays half-open and gives up when A, to which "
     "its SYN,ACK went, answers with a reset.",
     {.name = "random-isn",
      .flight = 2,
      .unjudged = true,
      .listens = {false, true},
      .forged = 2,
      .forge = EXPLORE_FORGE_SYN | EXPLORE_FORGE_ACK}},
    {"challenge-ack",
     "A reset counts only with exactly the number that is expected next. Elsewhere in the window "
     "it is answered by an ACK, the challenge: a peer that means it resets again, with that number "
     "(RFC 5961 3.2).",
     "Somebody else sends a reset with B's address on it and a number that, by luck, lies in A's "
     "window.",
     "a reset anywhere in the window is believed",
     "Who hits a window of 65,536 octets needs no more than 65,536 resets to hit any of them. "
     "Without the rule A loses a connection that both ends want. With it A sends a challenge ACK, "
     "B has nothing to reset, and the connection lives.",
     {.name = "challenge-ack",
      .flight = 2,
      .unjudged = true,
      .listens = {false, true},
      .opens = {1, 0},
      .forged = 1,
      .forge = EXPLORE_FORGE_RST}},
    {"sequence-check",
     "Octets count at their place in the stream: what was received before is dropped, what is "
     "ahead waits (RFC 9293 3.4, 3.10.7.4 first).",
     NULL,
     "whatever arrives is taken for what comes next",
     "The network delivers one segment twice. Without the rule B's application reads its four "
     "octets twice. With it the copy lies wholly below RCV.NXT: B drops it and repeats its ACK.",
     {.name = "sequence-check",
      .flight = 2,
      .unjudged = true,
      .duplicates = 1,
      .listens = {false, true},
      .opens = {1, 0},
      .sends = {1, 0}}},
};

const struct explore_why *explore_why(uint32_t i)
{
    return i < sizeof whys / sizeof whys[0] ? &whys[i] : NULL;
}

const struct explore_why *explore_why_of(const char *rule)
{
    const struct explore_why *why;
    for (uint32_t i = 0; (why = explore_why(i)) != NULL; i++) {
        if (strcmp(why->rule, rule) == 0) {
            return why;
        }
    }
    return NULL;
}
