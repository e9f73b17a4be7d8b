/* side_app.c - the application at an endpoint: it accepts, reads all there is at once, and gives
 * its handle back when both directions have ended; when it opens, sends, closes, aborts is the
 * explorer's.
 *
 * Each octet says who sent it, on which connection, and at which place.
 */
#include "side.h"

static uint8_t octet(int side, uint8_t gen, uint8_t place)
{
    return (uint8_t)(side << 7 | (gen & 15) << 3 | (place & 7));
}

static struct own *current(struct side *s)
{
    return &s->ghost.own[s->ghost.current - 1];
}

static void forget(struct doing *d)
{
    hf_release(side_stack(d->s), &d->env, d->s->handle);
    d->s->handle = 0;
    d->s->ghost.current = 0;
}

static void check_text(struct doing *d, const uint8_t *text, int64_t len)
{
    struct own *own = current(d->s);
    for (int64_t i = 0; i < len; i++) {
        uint8_t want = octet(1 - d->side, (uint8_t)(own->peer - 1), own->received++);
        if (d->forged)
            continue; /* what stands in the window at the right place is taken */
        if (own->peer == 0 || text[i] != want || own->received > 8)
            side_wrong(d->outcome, WRONG_TEXT,
                       "%s, connected with %s%u, reads as octet %u what is octet %u of %s%u",
                       side_names[d->side], side_names[1 - d->side], own->peer - 1u,
                       own->received - 1u, text[i] & 7u, side_names[text[i] >> 7],
                       text[i] >> 3 & 15u);
    }
}

/* The peer's incarnation that the current connection talks to. */
static void know_peer(struct doing *d)
{
    struct own *own = current(d->s);
    struct hf_status status = {.struct_size = sizeof status};
    if (own->peer != 0 || hf_status(side_stack(d->s), &d->env, d->s->handle, &status) != HF_OK)
        return;
    uint8_t gen = side_gen_of_isn(d->s->irs, GENS, status.irs);
    if (status.state >= HF_SYN_RECEIVED && gen != GEN_NONE)
        own->peer = (uint8_t)(gen + 1);
}

/* True: something was read for the first time. */
static bool read_all(struct doing *d)
{
    uint8_t text[16];
    struct own *own = current(d->s);
    know_peer(d);
    for (;;) {
        int64_t n = hf_recv(side_stack(d->s), &d->env, d->s->handle, text, sizeof text);
        if (n > 0) {
            check_text(d, text, n);
            continue;
        }
        if (n == 0 && !(own->is & (IS_ENDED | IS_FAILED))) {
            own->is |= IS_ENDED;
            return true;
        }
        return false;
    }
}

static void accept_one(struct doing *d)
{
    hf_handle handle = 0;
    struct side *s = d->s;
    if (hf_accept(side_stack(s), &d->env, s->listener, &handle, NULL) != HF_OK)
        return;
    struct hf_status status = {.struct_size = sizeof status};
    if (s->handle != 0)
        side_wrong(d->outcome, WRONG_TWO_OPEN, "%s accepts a second one", side_names[d->side]);
    s->handle = handle;
    hf_status(side_stack(s), &d->env, handle, &status);
    uint8_t gen = side_gen_of_isn(s->iss, s->ghost.gens, status.iss);
    s->ghost.current = (uint8_t)(gen == GEN_NONE ? 1 : gen + 1);
}

static void ended(struct doing *d, int32_t error)
{
    struct own *own = current(d->s);
    read_all(d);
    own->is |= error != HF_OK ? IS_FAILED : 0;
    forget(d);
}

bool side_application(struct doing *d)
{
    struct side *s = d->s;
    struct hf_event events[4];
    uint32_t n = hf_events(side_stack(s), &d->env, events, 4);
    for (uint32_t i = 0; i < n; i++) {
        if (events[i].handle == s->listener)
            accept_one(d);
        else if (events[i].handle == s->handle && (events[i].bits & HF_CLOSED_EVENT))
            ended(d, events[i].error);
    }
    if (s->handle != 0 && s->ghost.current != 0) {
        bool read = read_all(d);
        uint8_t is = current(s)->is;
        if ((is & IS_CLOSED) && (is & IS_ENDED)) {
            forget(d);
            return true;
        }
        return read || n != 0;
    }
    return n != 0;
}

static void send_text(struct doing *d)
{
    struct own *own = current(d->s);
    uint8_t text[TEXT_OCTETS];
    for (int i = 0; i < TEXT_OCTETS; i++)
        text[i] = octet(d->side, (uint8_t)(d->s->ghost.current - 1), (uint8_t)(own->sent + i));
    if ((own->is & IS_CLOSED) || own->sent > TEXT_OCTETS ||
        hf_send(side_stack(d->s), &d->env, d->s->handle, text, TEXT_OCTETS, 0) != TEXT_OCTETS) {
        side_disabled(d, "no more text is taken");
        return;
    }
    own->sent = (uint8_t)(own->sent + TEXT_OCTETS);
}

static void close_it(struct doing *d)
{
    struct own *own = current(d->s);
    struct hf_status status = {.struct_size = sizeof status};
    if (own->is & IS_CLOSED) {
        side_disabled(d, "it is closed");
        return;
    }
    int error = hf_close(side_stack(d->s), &d->env, d->s->handle);
    if (error != HF_OK)
        side_wrong(d->outcome, WRONG_CALL, "hf_close: %s", hf_error_text(error));
    own->is |= IS_CLOSED;
    /* CLOSE in SYN-SENT deletes the connection (RFC 9293 3.10.4). */
    if (hf_status(side_stack(d->s), &d->env, d->s->handle, &status) == HF_OK &&
        status.state == HF_CLOSED)
        forget(d);
}

void side_call(struct doing *d, enum event_kind kind)
{
    if (d->s->handle == 0 || d->s->ghost.current == 0) {
        side_disabled(d, "there is no connection");
        return;
    }
    if (kind == EVENT_SEND) {
        send_text(d);
    } else if (kind == EVENT_CLOSE) {
        close_it(d);
    } else if (kind == EVENT_RELEASE) {
        forget(d);
    } else {
        int error = hf_abort(side_stack(d->s), &d->env, d->s->handle);
        if (error != HF_OK)
            side_wrong(d->outcome, WRONG_CALL, "hf_abort: %s", hf_error_text(error));
        current(d->s)->is |= IS_ABORTED;
        /* Its reset leaves before the handle goes. */
        while (side_output(d) != 0) {
        }
        forget(d);
    }
}
