/*
 * ipsp-pcap/main.c - arguments, and a capture from one end to the other.
 *
 * Exit codes: 0: done; 1: a file could not be read or written to its end, or --strict and packets
 * were dropped; 2: arguments or secrets are wrong, nothing was written.
 */
#include "config.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp-pcap/decode.h"
#include "ipsp-pcap/link.h"
#include "ipsp-pcap/process.h"
#include "ipsp-pcap/sandbox.h"

#define SECMEM_BYTES (1u << 20)
#define SNAPLEN_MAX 262144u	/* libpcap's own limit for most link types */
#define GROWTH (IPSP_HEADROOM + IPSP_TAILROOM + 8u)

enum { EXIT_DONE = 0, EXIT_BROKEN = 1, EXIT_WRONG = 2 };

struct arguments {
	bool decode;			/* no packets come out, but text */
	enum ipsp_dir dir;		/* if they do */
	const char *secrets, *ike_keys, *in, *out;
	bool allow_weak, keep, pcapng, strict, json, quiet;
};

/* What a run has open. */
struct run {
	struct arguments args;
	struct pc_secrets secrets;
	struct pc_world *world;
	struct pc_reader *reader;
	struct pc_writer *writer;
	struct pc_processor *processor;
	struct pc_counts counts;
	struct pc_ike_keys *ike_keys;
	struct pc_decode_counts decoded;
	struct pc_diag diag;
};

static void usage(FILE *out)
{
	fputs("usage: ipsp-pcap decap -E FILE [OPTION]... IN OUT\n"
	      "       ipsp-pcap encap -E FILE [OPTION]... IN OUT\n"
	      "       ipsp-pcap decode [-K FILE] [OPTION]... IN\n"
	      "Takes ESP away from the packets of a capture, or puts it on, or prints what IKE messages\n"
	      "say. - is standard input or output.\n"
	      "  -E, --secrets FILE  SAs with their keys, in the format of tcpdump -E and more\n"
	      "  -K, --ike-keys FILE  keys of IKE SAs, in the format of Wireshark's table\n"
	      "      --allow-weak    take weak algorithms, and seal without integrity\n"
	      "  -k, --keep          write packets that are refused as they came\n"
	      "      --pcapng        write pcapng whatever OUT's name is\n"
	      "      --strict        exit with 1 if a packet was refused, or a message is faulty\n"
	      "      --json          the summary in JSON\n"
	      "  -q, --quiet         no summary\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       the version\n", out);
}

static void complain(const char *text)
{
	fprintf(stderr, "ipsp-pcap: %s\n", text);
}

enum { OPT_ALLOW_WEAK = 256, OPT_PCAPNG, OPT_STRICT, OPT_JSON };

static const struct option long_options[] = {
	{ "secrets", required_argument, NULL, 'E' },
	{ "ike-keys", required_argument, NULL, 'K' },
	{ "allow-weak", no_argument, NULL, OPT_ALLOW_WEAK },
	{ "keep", no_argument, NULL, 'k' },
	{ "pcapng", no_argument, NULL, OPT_PCAPNG },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* tcpdump's "file NAME" is the name, too. */
static const char *secrets_name(const char *arg)
{
	if (strncasecmp(arg, "file ", 5))
		return arg;
	return arg + 5 + strspn(arg + 5, " ");
}

/* -1: go on; else exit with this. */
static int parse_options(int argc, char **argv, struct arguments *args)
{
	int c;

	while ((c = getopt_long(argc, argv, "E:K:kqhV", long_options, NULL)) != -1) {
		switch (c) {
		case 'E':
			args->secrets = secrets_name(optarg);
			break;
		case 'K':
			args->ike_keys = optarg;
			break;
		case OPT_ALLOW_WEAK:
			args->allow_weak = true;
			break;
		case 'k':
			args->keep = true;
			break;
		case OPT_PCAPNG:
			args->pcapng = true;
			break;
		case OPT_STRICT:
			args->strict = true;
			break;
		case OPT_JSON:
			args->json = true;
			break;
		case 'q':
			args->quiet = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_DONE;
		case 'V':
			puts("ipsp-pcap " PACKAGE_VERSION);
			return EXIT_DONE;
		default:
			usage(stderr);
			return EXIT_WRONG;
		}
	}
	return -1;
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcasecmp(name + n - m, suffix);
}

static bool parse_command(const char *word, struct arguments *args)
{
	args->decode = !strcmp(word, "decode");
	args->dir = !strcmp(word, "decap") ? IPSP_INBOUND : IPSP_OUTBOUND;
	return args->decode || !strcmp(word, "decap") || !strcmp(word, "encap");
}

static int parse_arguments(int argc, char **argv, struct arguments *args)
{
	int status = parse_options(argc, argv, args);

	if (status >= 0)
		return status;
	if (optind < argc && !parse_command(argv[optind], args)) {
		complain("the command is decap, encap or decode");
		return EXIT_WRONG;
	}
	if (argc - optind != (args->decode ? 2 : 3)) {
		usage(stderr);
		return EXIT_WRONG;
	}
	args->in = argv[optind + 1];
	if (args->decode)
		return -1;
	args->out = argv[optind + 2];
	args->pcapng |= ends_with(args->out, ".pcapng") || ends_with(args->out, ".ntar");
	if (!args->secrets) {
		complain("which secrets? -E FILE is missing");
		return EXIT_WRONG;
	}
	return -1;
}

static void warn_of_secrets(const struct run *run)
{
	if (run->args.quiet)
		return;
	if (run->secrets.n_readable)
		complain("warning: everyone may read the secrets (chmod 600)");
	if (run->secrets.n_replaced)
		complain("warning: an SA is given twice; the last line counts");
	if (run->secrets.n_ikev2)
		complain("warning: lines of IKE SAs are passed over, only ESP is decapsulated");
}

static bool start_crypto(struct run *run)
{
	if (ipsp_crypto_gcrypt_init(SECMEM_BYTES) == IPSP_OK)
		return true;
	pc_diag_set(&run->diag, "the crypto library fails its self test");
	return false;
}

static bool load_secrets(struct run *run)
{
	if (!pc_secrets_load(run->args.secrets, run->args.allow_weak, &run->secrets, &run->diag))
		return false;
	warn_of_secrets(run);
	return pc_world_new(run->args.dir, &run->secrets, run->args.allow_weak, &run->world,
			    &run->diag);
}

static bool open_files(struct run *run)
{
	struct pc_writer_config config = {
		.format = run->args.pcapng ? PC_FORMAT_PCAPNG : PC_FORMAT_PCAP,
	};

	if (!pc_reader_open(run->args.in, &run->reader, &run->diag))
		return false;
	config.dlt = pc_link_written(pc_reader_dlt(run->reader));
	config.micro = pc_reader_is_micro(run->reader);
	config.snaplen = pc_reader_snaplen(run->reader);
	/* A snapshot length is what was cut, not what ESP adds. */
	if (run->args.dir == IPSP_OUTBOUND && config.snaplen < SNAPLEN_MAX - GROWTH)
		config.snaplen += GROWTH;
	if (!pc_writer_open(run->args.out, &config, run->reader, &run->writer, &run->diag))
		return false;
	if (!pc_link_known(pc_reader_dlt(run->reader)) && !run->args.quiet)
		fprintf(stderr, "ipsp-pcap: warning: no IP is known in link type %s: all packets "
			"pass unchanged\n", pc_reader_link_name(run->reader));
	return true;
}

static bool put(struct run *run, const struct pc_frame *frame)
{
	if (!pc_writer_put(run->writer, frame, &run->diag))
		return false;
	run->counts.written++;
	return true;
}

static bool process_all(struct run *run)
{
	struct pc_frame in, out;
	enum pc_next next;

	while ((next = pc_reader_next(run->reader, &in, &run->diag)) == PC_NEXT_FRAME) {
		run->counts.read++;
		const enum pc_outcome outcome = pc_process(run->processor, &in, &out);

		if (outcome == PC_HELD || (outcome == PC_DROPPED && !run->args.keep))
			continue;
		if (outcome == PC_DROPPED)
			run->counts.kept++;
		if (!put(run, &out))
			return false;
	}
	return next == PC_NEXT_END;
}

static void summarise(const struct run *run)
{
	const char *verb = run->args.dir == IPSP_INBOUND ? "decapsulated" : "encapsulated";

	if (run->args.json && !pc_counts_json(&run->counts, verb, stderr))
		complain("out of memory");
	else if (!run->args.json && !run->args.quiet)
		pc_counts_print(&run->counts, verb, stderr);
}

static bool load_ike_keys(struct run *run)
{
	return !run->args.ike_keys ||
	       (start_crypto(run) && pc_ike_keys_load(run->args.ike_keys, run->args.allow_weak,
						      &run->ike_keys, &run->diag));
}

static int go_decode(struct run *run)
{
	bool good;

	if (!load_ike_keys(run) || !pc_reader_open(run->args.in, &run->reader, &run->diag)) {
		complain(run->diag.text);
		return EXIT_WRONG;
	}
	if (!pc_sandbox_enter()) {
		complain("the sandbox cannot be entered");
		return EXIT_BROKEN;
	}
	good = pc_decode(run->reader, run->ike_keys, stdout, &run->decoded, &run->diag);
	if (!good)
		complain(run->diag.text);
	return good && !(run->args.strict && run->decoded.faulty) ? EXIT_DONE : EXIT_BROKEN;
}

static int go_convert(struct run *run)
{
	bool good;

	if (!start_crypto(run) || !load_secrets(run) || !open_files(run)) {
		complain(run->diag.text);
		return EXIT_WRONG;
	}
	run->processor = pc_processor_new(run->args.dir, pc_reader_dlt(run->reader), run->world,
					  &run->counts);
	if (!run->processor || !pc_sandbox_enter()) {
		complain(run->processor ? "the sandbox cannot be entered" : "out of memory");
		return EXIT_BROKEN;
	}
	good = process_all(run);
	if (!good)
		complain(run->diag.text);
	if (!pc_writer_close(run->writer, &run->diag)) {
		complain(run->diag.text);
		good = false;
	}
	run->writer = NULL;
	summarise(run);
	if (!good)
		return EXIT_BROKEN;
	return run->args.strict && pc_counts_dropped(&run->counts) ? EXIT_BROKEN : EXIT_DONE;
}

static void run_fini(struct run *run)
{
	struct pc_diag ignored;

	if (run->writer && !pc_writer_close(run->writer, &ignored))
		complain(ignored.text);
	pc_processor_free(run->processor);
	pc_world_free(run->world);
	pc_secrets_fini(&run->secrets);
	pc_ike_keys_free(run->ike_keys);
	pc_reader_close(run->reader);
}

int main(int argc, char **argv)
{
	static struct run run;
	int status = parse_arguments(argc, argv, &run.args);

	if (status >= 0)
		return status;
	if (!pc_sandbox_hide()) {
		complain("the process cannot be hidden from others");
		return EXIT_BROKEN;
	}
	status = run.args.decode ? go_decode(&run) : go_convert(&run);
	run_fini(&run);
	return status;
}
