/* main.c - one run: a case, a sender, a time; prints one line of name=value.  tools/recovery makes
 * the table of many. */
#include "recovery.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void usage(FILE *out)
{
    fprintf(out, "usage: recovery --case NAME --sender kernel|handfast [OPTION]...\n\n"
                 "  --seconds S         60\n"
                 "  --seed N            1\n"
                 "  --rate MBIT         100: of the bottleneck\n"
                 "  --rtt MS            100\n"
                 "  --congestion NAME   cubic: the kernel's\n"
                 "  --send-buffer N     octets of Handfast's send buffer; 0: as it is by default\n"
                 "  --samples FILE      what the sender thinks, each 50 ms\n"
                 "  --pcap FILE         what Handfast sends and receives\n"
                 "  --list              the cases\n");
}

static bool take(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'c':
        options->name = value;
        return true;
    case 's':
        options->kernel = strcmp(value, "kernel") == 0;
        return options->kernel || strcmp(value, "handfast") == 0;
    case 't':
        options->seconds = atof(value);
        return options->seconds >= 1;
    case 'n':
        options->seed = strtoull(value, NULL, 0);
        return true;
    case 'r':
        options->rate_bps = strtoull(value, NULL, 0) * 1000000;
        return options->rate_bps > 0;
    case 'd':
        options->rtt_ns = atoll(value) * 1000000;
        return options->rtt_ns > 0;
    case 'g':
        options->congestion = value;
        return true;
    case 'b':
        options->send_buffer = (uint32_t)strtoul(value, NULL, 0);
        return true;
    case 'p':
        options->pcap = value;
        return true;
    case 'm':
        options->samples = value;
        return true;
    default:
        return false;
    }
}

static bool parse(struct options *options, int argc, char **argv)
{
    static const struct option all[] = {{"case", required_argument, NULL, 'c'},
                                        {"sender", required_argument, NULL, 's'},
                                        {"seconds", required_argument, NULL, 't'},
                                        {"seed", required_argument, NULL, 'n'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"rtt", required_argument, NULL, 'd'},
                                        {"congestion", required_argument, NULL, 'g'},
                                        {"send-buffer", required_argument, NULL, 'b'},
                                        {"samples", required_argument, NULL, 'm'},
                                        {"pcap", required_argument, NULL, 'p'},
                                        {"list", no_argument, NULL, 'l'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", all, NULL)) != -1) {
        if (option == 'l' || option == 'h') {
            option == 'l' ? case_list(stdout) : usage(stdout);
            exit(0);
        }
        if (!take(options, option, optarg)) {
            return false;
        }
    }
    struct path_how how[2];
    return optind == argc && options->name && case_path(options, how);
}

static double cpu_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const struct options *options, const struct shared *now, uint64_t received)
{
    const struct repeats *r = &now->repeats;
    const struct path_counts *to = &now->counts[0];
    printf("case=%s sender=%s seconds=%g seed=%llu mbit=%.3f", options->name,
           options->kernel ? "kernel" : "handfast", options->seconds,
           (unsigned long long)options->seed, (double)received * 8 / options->seconds / 1e6);
    printf(" segments=%llu again=%llu spurious=%llu", (unsigned long long)r->segments,
           (unsigned long long)r->again, (unsigned long long)r->spurious);
    printf(" lost=%llu dropped=%llu dead=%llu late=%llu", (unsigned long long)to->lost,
           (unsigned long long)to->dropped, (unsigned long long)to->dead,
           (unsigned long long)to->late);
    printf(" relay_over_1ms=%.4f relay_worst_ms=%.2f cpu_sender=%.2f cpu_others=%.2f\n",
           now->forwarded ? (double)now->over_ms / (double)now->forwarded : 0,
           (double)now->latest_ns / 1e6, cpu_seconds(RUSAGE_SELF), cpu_seconds(RUSAGE_CHILDREN));
}

int main(int argc, char **argv)
{
    static struct shared last;
    struct options options = {.seconds = 60,
                              .seed = 1,
                              .rate_bps = 100000000,
                              .rtt_ns = 100000000,
                              .congestion = "cubic"};
    if (!parse(&options, argc, argv)) {
        usage(stderr);
        return 2;
    }
    struct lab lab;
    (void)setpriority(PRIO_PROCESS, 0, -15); /* all of it, whoever sends: others may be at work */
    lab_open(&lab, &options);
    int64_t end_ns = now_ns() + (int64_t)(options.seconds * 1e9);
    if (options.kernel) {
        send_by_kernel(&options, end_ns);
    } else {
        send_by_handfast(&options, end_ns);
    }
    uint64_t received = lab.shared->received;
    memcpy(&last, lab.shared, sizeof last);
    lab_close(&lab);
    report(&options, &last, received);
    return 0;
}
