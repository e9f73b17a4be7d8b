/* reason.c - hf_close_reason: who closed, in which direction and why, as a sentence (RFC 9293 3.6).
 */
#include "stack/stack.h"

/* The core has no stdio. */
struct sentence {
    char *text;
    size_t len, room; /* room: with the 0 */
};

static void add(struct sentence *s, const char *words)
{
    while (*words != '\0' && s->len + 1 < s->room) {
        s->text[s->len++] = *words++;
    }
    s->text[s->len] = '\0';
}

static void add_number(struct sentence *s, uint32_t n)
{
    char digits[11];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    add(s, digits + at);
}

static const char *state_name(uint8_t state)
{
    static const char *const names[HF_STATES] = {
        "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
        "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
    };
    return state < HF_STATES ? names[state] : "?";
}

static void add_state(struct sentence *s, const char *words, uint8_t state)
{
    add(s, words);
    add(s, state_name(state));
}

enum { NOBODY, THIS_SIDE, THE_PEER, BOTH };

static uint8_t who_was_first(const struct tcb *tcb)
{
    if (tcb->flags & F_BOTH_FIRST) {
        return BOTH;
    }
    if (tcb->flags & F_PEER_FIRST) {
        return THE_PEER;
    }
    if (tcb->flags & (F_CLOSE | F_FIN_SENT)) {
        return THIS_SIDE;
    }
    if (tcb->flags & F_RST_RECEIVED) {
        return THE_PEER;
    }
    return tcb->state == HF_CLOSED ? THIS_SIDE : NOBODY;
}

static void say_open(struct sentence *s, uint8_t state)
{
    static const char *const words[HF_STATES] = {
        [HF_LISTEN] = "a SYN waits for the application's answer",
        [HF_SYN_SENT] = "opening: our SYN has not been answered",
        [HF_SYN_RECEIVED] = "opening: our SYN has not been acknowledged",
        [HF_ESTABLISHED] = "open in both directions",
        [HF_FIN_WAIT_1] = "this side closed first; our FIN has not been acknowledged",
        [HF_FIN_WAIT_2] = "this side closed first; the peer has not closed",
        [HF_CLOSE_WAIT] = "the peer closed first; this side has not closed",
        [HF_CLOSING] = "both sides closed at once; our FIN has not been acknowledged",
        [HF_LAST_ACK] = "the peer closed first, then this side; our FIN has not been acknowledged",
        [HF_TIME_WAIT] = "both directions are closed; waits for late segments",
    };
    add(s, state < HF_STATES && words[state] != NULL ? words[state] : "closed");
    add_state(s, ": ", state);
}

static void say_in_order(struct sentence *s, const struct tcb *tcb)
{
    static const char *const words[] = {
        [NOBODY] = "closed",
        [THIS_SIDE] = "this side closed first, the peer followed",
        [THE_PEER] = "the peer closed first, this side followed",
        [BOTH] = "both sides closed at once",
    };
    add(s, words[who_was_first(tcb)]);
    if (tcb->flags & F_RST_RECEIVED) {
        add_state(s, "; the peer's reset ended ", tcb->end_state);
    } else if (tcb->verdict == HF_V_TIME_WAIT_REUSED) {
        add(s, "; the peer's new SYN ended TIME-WAIT");
    } else if (tcb->cause == HF_CALL_ABORT) {
        add_state(s, "; this side's ABORT ended ", tcb->end_state);
    } else {
        add_state(s, "; ended in ", tcb->end_state);
    }
}

/* The last window told was 0, by the ACK of all that was sent, and probes were answered: what
 * waited was not in flight, but for the peer to read (3.8.6.1). */
static bool stayed_closed(const struct tcb *tcb)
{
    return tcb->snd.wnd == 0 && seq_eq(tcb->snd.wl2, tcb->snd.nxt) && tcb->retries <= 1;
}

/* The window was open, and yet nothing was in flight: there was no route, or no link address. */
static bool never_left(const struct tcb *tcb)
{
    return tcb->cause == HF_TIMER_PERSIST && tcb->snd.wnd != 0;
}

static void say_timed_out(struct sentence *s, const struct tcb *tcb)
{
    switch (tcb->cause) {
    case HF_TIMER_USER_TIMEOUT:
        add_state(s,
                  stayed_closed(tcb) ? "the peer's window stayed closed for the user timeout in "
                                     : "the user timeout passed without an acknowledgment in ",
                  tcb->end_state);
        break;
    case HF_TIMER_RTO:
    case HF_TIMER_PERSIST:
        add(s, "gave up after ");
        add_number(s, tcb->retries);
        add(s, tcb->cause == HF_TIMER_RTO ? " retransmission"
               : never_left(tcb)          ? " wait"
                                          : " window probe");
        add(s, tcb->retries == 1 ? "" : "s");
        add(s, never_left(tcb) ? " for a way to the peer" : " without an answer");
        add_state(s, " in ", tcb->end_state);
        break;
    case HF_TIMER_KEEPALIVE:
        add_state(s, "the peer answered no keep-alive: reset by this side in ", tcb->end_state);
        break;
    default: /* the others end what was released: nobody can ask */
        add_state(s, "timed out in ", tcb->end_state);
        break;
    }
}

static void say_aborted(struct sentence *s, const struct tcb *tcb)
{
    bool reset = tcb->flags & F_RST_SENT;
    if (tcb->verdict == HF_V_LATE_DATA_RESET) {
        add(s, "this side had closed both ways, and the peer sent more: reset");
    } else if (tcb->cause == HF_CALL_ANSWER) {
        add(s, "the application refused the peer's SYN");
    } else if (tcb->cause == HF_CALL_RELEASE) {
        add_state(s, "released with unread octets, a linger time of 0 or no record: reset in ",
                  tcb->end_state);
    } else {
        add_state(s, reset ? "aborted by this side with a reset in " : "aborted by this side in ",
                  tcb->end_state);
    }
}

static void say_why(struct sentence *s, const struct tcb *tcb)
{
    switch (-(int)tcb->error) {
    case HF_OK:
        say_in_order(s, tcb);
        break;
    case HF_ERR_CLOSING:
        add_state(s, "this side closed in ", tcb->end_state);
        add(s, ", before the connection was open");
        break;
    case HF_ERR_RESET:
        add_state(s,
                  tcb->flags & F_RST_RECEIVED ? "reset by the peer in "
                                              : "ended by another SYN of the peer in ",
                  tcb->end_state);
        break;
    case HF_ERR_REFUSED:
        add(s, "connection refused: the peer answered our SYN with a reset");
        break;
    case HF_ERR_TIMED_OUT:
        say_timed_out(s, tcb);
        break;
    case HF_ERR_ABORTED:
        say_aborted(s, tcb);
        break;
    default:
        add(s, hf_error_text(-(int)tcb->error));
        add_state(s, " in ", tcb->end_state);
        break;
    }
}

int hf_close_reason(const struct hf_stack *stack, hf_handle handle, struct hf_close_reason *reason)
{
    struct stack st;
    stack_look(&st, stack, NULL);
    const struct tcb *tcb = stack_tcb_of(&st, handle);
    if (tcb == NULL) {
        return HF_ERR_STALE_HANDLE;
    }
    bool over = tcb->state == HF_CLOSED;
    *reason = (struct hf_close_reason){
        .error = over ? -(int32_t)tcb->error : HF_OK,
        .first = who_was_first(tcb),
        .fin_sent = (tcb->flags & F_FIN_SENT) != 0,
        .fin_acked = (tcb->flags & F_FIN_ACKED) != 0,
        .fin_received = (tcb->flags & F_FIN_RECEIVED) != 0,
        .rst_sent = (tcb->flags & F_RST_SENT) != 0,
        .rst_received = (tcb->flags & F_RST_RECEIVED) != 0,
        .state = over ? tcb->end_state : tcb->state,
        .verdict = tcb->verdict,
        .cause = tcb->cause,
    };
    struct sentence s = {reason->text, 0, sizeof reason->text};
    if (over) {
        say_why(&s, tcb);
    } else {
        say_open(&s, tcb->state);
    }
    return reason->error;
}
