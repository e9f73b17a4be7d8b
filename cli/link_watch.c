/* link_watch.c - what is seen of a link: ladders as they happen, the SVG, the capture's comments.
 */
#include "link.h"

#include "judge.h"

#include <handfast/packet.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The names of files ----------------------------------------------------------------------------
 */

/* The directory that path is to be made in, and its name there; NULL: no such names. */
static const char *split(const char *path, char directory[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= PATH_MAX)
        return NULL;
    snprintf(directory, PATH_MAX, "%.*s%s", (int)len, path, len > 0 ? "" : slash ? "/" : ".");
    return slash ? slash + 1 : path;
}

bool link_same_file(const char *one, const char *other)
{
    char directory[2][PATH_MAX];
    struct stat a, b;
    bool one_is = stat(one, &a) == 0, other_is = stat(other, &b) == 0;
    if (one_is && other_is)
        return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    const char *name = split(one, directory[0]), *other_name = split(other, directory[1]);
    return !one_is && !other_is && name && other_name && !strcmp(name, other_name) &&
           stat(directory[0], &a) == 0 && stat(directory[1], &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Could it be written?  0 or an errno.  Nothing is made or cut for this: an older drawing stays
 * until there is a new one. */
static int write_error(const char *path)
{
    char directory[PATH_MAX];
    struct stat is;
    if (stat(path, &is) == 0) {
        if (S_ISDIR(is.st_mode))
            return EISDIR;
        return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ? 0 : errno;
    }
    if (errno != ENOENT)
        return errno;
    if (!split(path, directory))
        return ENAMETOOLONG;
    return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

int link_check_svg(const char *path)
{
    int error = path ? write_error(path) : 0;
    return error == 0 ? CLI_OK : cli_failure("--svg %s: %s", path, strerror(error));
}

/* Watching --------------------------------------------------------------------------------------
 */

static void to_stderr(void *arg, const char *text, size_t len)
{
    (void)arg;
    fwrite(text, 1, len, stderr);
}

static void trace(void *arg, const struct hf_trace *record)
{
    struct link *link = arg;
    if (link->ladders)
        hf_ladder_set_trace(link->ladders, record);
    if (link->kept)
        hf_ladder_set_trace(link->kept, record);
    if (link->comments)
        hf_comments_trace(link->comments, record);
    if (link->oracle)
        judge_record(link->oracle, record);
}

size_t link_comment(void *arg, const struct hf_captured *packet, char *text, size_t room)
{
    struct hf_packet decoded = {.struct_size = sizeof decoded};
    char found[HF_COMMENT_BYTES];
    hf_packet_decode(packet->data, packet->len, (enum hf_link)packet->link, &decoded);
    size_t len = hf_comments_find(arg, &decoded, packet->direction == HF_DIRECTION_OUT, found);
    if (len > room)
        len = room;
    memcpy(text, found, len);
    return len;
}

/* Of each connection that begins: the picture may have no room for it. */
static bool count(void *arg, const struct hf_trace *first, struct hf_ladder_style *style)
{
    struct link *link = arg;
    (void)first;
    (void)style;
    link->connections++;
    return true;
}

/* Two sets: what is drawn as it happens is forgotten when it is over, what is kept fills up. */
static bool make_ladders(struct link *link)
{
    const struct link_options *options = link->options;
    struct hf_ladder_style style = {.struct_size = sizeof style,
                                    .colour = isatty(2) && !getenv("NO_COLOR"),
                                    .remote_name = options->private_network ? "kernel" : NULL,
                                    .write = options->ladder ? to_stderr : NULL};
    if (!options->ladder && !options->svg)
        return true;
    link->ladders = hf_ladder_set_new(&style, 0, count, link);
    style.write = NULL;
    style.keep = true;
    if (options->svg)
        link->kept = hf_ladder_set_new(&style, LINK_DRAWN_MAX, NULL, NULL);
    return link->ladders && (link->kept || !options->svg);
}

int link_watch(struct link *link)
{
    const struct link_options *options = link->options;
    bool enough = make_ladders(link);
    if (options->pcap)
        link->comments = hf_comments_new(0);
    if (options->judge)
        link->oracle = judge_new(hf_policy(hf_host_stack(link->host)));
    if (!enough || (options->pcap && !link->comments) || (options->judge && !link->oracle))
        return cli_failure("no memory to watch with");
    hf_host_set_trace(link->host, trace, link);
    return CLI_OK;
}

void link_watch_end(struct link *link)
{
    hf_ladder_set_free(link->ladders);
    hf_ladder_set_free(link->kept);
    hf_comments_free(link->comments);
}

/* Why it closed ---------------------------------------------------------------------------------
 */

void link_say_end(struct link *link, hf_handle connection, const char *why, bool forget)
{
    struct hf_ladder *ladder;
    if (link->kept && (ladder = hf_ladder_set_handle(link->kept, connection)) != NULL)
        hf_ladder_end(ladder, why);
    if (link->ladders && (ladder = hf_ladder_set_handle(link->ladders, connection)) != NULL) {
        hf_ladder_end(ladder, why);
        if (forget)
            hf_ladder_set_drop(link->ladders, ladder);
    }
}

void link_say_ends(struct link *link, const char *why)
{
    struct hf_ladder_set *const sets[] = {link->ladders, link->kept};
    struct hf_ladder *ladder;
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++)
        for (size_t i = 0; sets[s] && (ladder = hf_ladder_set_at(sets[s], i)) != NULL; i++)
            hf_ladder_end(ladder, why);
}

/* The picture -----------------------------------------------------------------------------------
 */

struct picture {
    FILE *file;
    int error; /* the first: later ones may be its consequence */
};

static void to_picture(void *arg, const char *text, size_t len)
{
    struct picture *picture = arg;
    if (fwrite(text, 1, len, picture->file) < len && picture->error == 0)
        picture->error = errno;
}

int link_write_svg(FILE *file, struct hf_ladder *const *ladders, size_t n)
{
    struct picture picture = {.file = file};
    hf_ladder_svg(ladders, n, to_picture, &picture);
    if (fclose(file) != 0 && picture.error == 0)
        picture.error = errno;
    return picture.error;
}

static int draw_svg(const char *path, struct hf_ladder *const *ladders, size_t n)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return cli_failure("--svg %s: %s", path, strerror(errno));
    int error = link_write_svg(file, ladders, n);
    if (error != 0)
        return cli_failure("--svg %s: it could not be written: %s", path, strerror(error));
    return CLI_OK;
}

int link_draw(struct link *link, int status)
{
    const char *path = link->options->svg;
    struct hf_ladder *ladders[LINK_DRAWN_MAX];
    size_t n = 0;
    link_say_ends(link, NULL);
    if (!link->kept)
        return status;
    while (n < LINK_DRAWN_MAX && (ladders[n] = hf_ladder_set_at(link->kept, n)) != NULL)
        n++;
    if (n == 0) {
        if (status != CLI_FAILED)
            cli_note("--svg %s: not written: there was no connection", path);
        return status;
    }
    if (draw_svg(path, ladders, n) != CLI_OK)
        return status == CLI_OK ? CLI_FAILED : status;
    if (link->connections > n)
        cli_note("--svg %s: the first %zu connections are in it; there were %llu more", path, n,
                 (unsigned long long)(link->connections - n));
    return status;
}
