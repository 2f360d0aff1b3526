/*
 * ipspctl/main.c - the command line: options, and a table of commands.
 *
 * Each command turns its words into one request (ipspd/control.h) and says how the answer is shown.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspctl/files.h"
#include "ipspctl/firewall.h"
#include "ipspctl/guard.h"
#include "ipspctl/operate.h"
#include "ipspctl/request.h"

struct command {
	const char *name;	/* one word, or two */
	const char *usage;	/* what follows */
	int (*run)(struct context *x, int argc, char **argv);
};

/* ---- show ---- */

static int show_plain(struct context *x, int argc, const char *command, print_fn *print)
{
	if (argc != 0)
		return ctl_usage_error("show", command);
	return ctl_ask(x, ctl_new_request(command), -1, print, NULL);
}

static int show_spd(struct context *x, int argc, char **argv)
{
	(void)argv;
	return show_plain(x, argc, "spd", print_spd);
}

static int show_sad(struct context *x, int argc, char **argv)
{
	(void)argv;
	return show_plain(x, argc, "sad", print_sad);
}

static int show_algorithms(struct context *x, int argc, char **argv)
{
	(void)argv;
	return show_plain(x, argc, "algorithms", print_algorithms);
}

static int show_stats(struct context *x, int argc, char **argv)
{
	(void)argv;
	return show_plain(x, argc, "stats", print_stats);
}

static int show_status(struct context *x, int argc, char **argv)
{
	(void)argv;
	return show_plain(x, argc, "status", print_status);
}

static int show_rows(struct context *x, int argc, char **argv)
{
	struct json_object *r;

	if (argc > 1)
		return ctl_usage_error("show rows", "[TABLE]");
	r = ctl_new_request("rows");
	if (argc == 1)
		ctl_add_text(r, "table", argv[0]);
	return ctl_ask(x, r, -1, print_row, NULL);
}

static int show_table(struct context *x, int argc, const char *command, char *table)
{
	return argc != 0 ? ctl_usage_error(command, "") : show_rows(x, 1, &table);
}

static int show_connections(struct context *x, int argc, char **argv)
{
	static char table[] = "ipspdConnTable";

	(void)argv;
	return show_table(x, argc, "show connections", table);
}

static int show_ike(struct context *x, int argc, char **argv)
{
	static char table[] = "ipspdIkeSaTable";

	(void)argv;
	return show_table(x, argc, "show ike", table);
}

static int show_problems(struct context *x, int argc, char **argv)
{
	static char table[] = "ipspdProblemTable";

	(void)argv;
	return show_table(x, argc, "show problems", table);
}

/* ---- rows ---- */

/* COLUMN=VALUE: an object's name is letters and digits. */
static bool is_assignment(const char *word)
{
	size_t n = 0;

	while (isalnum((unsigned char)word[n]))
		n++;
	return n > 0 && word[n] == '=';
}

/* What the words of a command name. */
enum words {
	WORDS_ROW,		/* TABLE [INDEX]: scalars have no index */
	WORDS_MAY_ASSIGN,	/* and COLUMN=VALUE.. */
	WORDS_MUST_ASSIGN,
};

/* Takes the words; values are wiped from the command line, for others may see it. */
static bool row_words(struct json_object *r, enum words kind, int argc, char **argv)
{
	struct json_object *values = json_object_new_object();
	int at = 1;

	if (kind != WORDS_ROW)
		json_object_object_add(r, "values", values);
	else
		json_object_put(values);
	if (argc < 1)
		return false;
	ctl_add_text(r, "table", argv[0]);
	if (at < argc && (kind == WORDS_ROW || !is_assignment(argv[at])))
		ctl_add_text(r, "index", argv[at++]);
	if (kind == WORDS_ROW || (kind == WORDS_MUST_ASSIGN && at == argc))
		return kind == WORDS_ROW && at == argc;
	for (; at < argc; at++) {
		char *eq = strchr(argv[at], '=');

		if (!is_assignment(argv[at]))
			return false;
		*eq = '\0';
		json_object_object_add(values, argv[at], json_object_new_string(eq + 1));
		explicit_bzero(eq + 1, strlen(eq + 1));
	}
	return true;
}

static int row_command(struct context *x, const char *command, const char *usage, enum words kind,
		       print_fn *print, int argc, char **argv)
{
	struct json_object *r = ctl_new_request(command);

	if (!row_words(r, kind, argc, argv)) {
		json_object_put(r);
		return ctl_usage_error(command, usage);
	}
	return ctl_ask(x, r, -1, print, NULL);
}

static int get(struct context *x, int argc, char **argv)
{
	return row_command(x, "get", "TABLE [INDEX]", WORDS_ROW, print_row, argc, argv);
}

static int set(struct context *x, int argc, char **argv)
{
	return row_command(x, "set", "TABLE [INDEX] COLUMN=VALUE..", WORDS_MUST_ASSIGN,
			   print_change, argc, argv);
}

static int create(struct context *x, int argc, char **argv)
{
	return row_command(x, "create", "TABLE INDEX [COLUMN=VALUE..]", WORDS_MAY_ASSIGN,
			   print_change, argc, argv);
}

static int delete(struct context *x, int argc, char **argv)
{
	return row_command(x, "delete", "TABLE INDEX", WORDS_ROW, print_change, argc, argv);
}

/* ---- the daemon ---- */

/* Decimal digits and nothing else. */
static bool read_number(const char *word, int64_t *out)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(word, &end, 10);
	if (!isdigit((unsigned char)word[0]) || *end || errno)
		return false;
	*out = n;
	return true;
}

static int wait_for(struct context *x, int argc, char **argv)
{
	static const char usage[] = "[--snmp] [--generation N] [--timeout SECONDS]";
	struct json_object *r = ctl_new_request("wait");

	for (int i = 0; i < argc; i++) {
		int64_t n = 0;

		if (strcmp(argv[i], "--snmp") == 0) {
			ctl_add_flag(r, "snmp");
			continue;
		}
		if ((strcmp(argv[i], "--generation") != 0 && strcmp(argv[i], "--timeout") != 0) ||
		    i + 1 == argc || !read_number(argv[i + 1], &n)) {
			json_object_put(r);
			return ctl_usage_error("wait", usage);
		}
		json_object_object_add(r, argv[i] + 2, json_object_new_int64(n));
		i++;
	}
	return ctl_ask(x, r, -1, print_nothing, NULL);
}

/* By its name, "all", or, for one that is gone, its number. */
static bool find_interface(const char *word, int64_t *ifindex)
{
	*ifindex = if_nametoindex(word);
	return *ifindex || strcmp(word, "all") == 0 || (read_number(word, ifindex) && *ifindex);
}

/* What stands behind the protocol is of ICMP and such: a type and its code; else two ports. */
static bool is_messenger(int64_t proto)
{
	return proto == 1 || proto == 58 || proto == 135;
}

static bool add_number(struct json_object *r, const char *key, const char *word, int64_t *n)
{
	if (!read_number(word, n))
		return false;
	json_object_object_add(r, key, json_object_new_int64(*n));
	return true;
}

/* argv: interface, direction, addresses, then what more is known of the packet. */
static bool lookup_words(struct json_object *r, int argc, char **argv)
{
	static const char *const behind[2][2] = {
		{ "source-port", "destination-port" }, { "type", "code" },
	};
	int64_t proto = -1, n;

	ctl_add_text(r, "direction", argv[1]);
	ctl_add_text(r, "source", argv[2]);
	ctl_add_text(r, "destination", argv[3]);
	if (argc > 4 && !add_number(r, "protocol", argv[4], &proto))
		return false;
	for (int i = 5; i < argc; i++) {
		if (!add_number(r, behind[is_messenger(proto)][i - 5], argv[i], &n))
			return false;
	}
	return true;
}

#define LOOKUP_USAGE "INTERFACE inbound|outbound SOURCE DESTINATION [PROTOCOL [PORT PORT|TYPE [CODE]]]"

static int lookup(struct context *x, int argc, char **argv)
{
	struct json_object *r;
	int64_t ifindex;

	if (argc < 4 || argc > 7)
		return ctl_usage_error("lookup", LOOKUP_USAGE);
	if (!find_interface(argv[0], &ifindex) || !ifindex) {
		fprintf(stderr, "ipspctl: %s: no such interface\n", argv[0]);
		return EXIT_REFUSED;
	}
	r = ctl_new_request("lookup");
	json_object_object_add(r, "ifindex", json_object_new_int64(ifindex));
	if (lookup_words(r, argc, argv))
		return ctl_ask(x, r, -1, print_spd, NULL);
	json_object_put(r);
	return ctl_usage_error("lookup", LOOKUP_USAGE);
}

static int release(struct context *x, int argc, char **argv)
{
	struct json_object *r;
	int64_t ifindex;

	if (argc != 2 || (strcmp(argv[1], "inbound") != 0 && strcmp(argv[1], "outbound") != 0))
		return ctl_usage_error("release", "INTERFACE|all inbound|outbound");
	if (!find_interface(argv[0], &ifindex)) {
		fprintf(stderr, "ipspctl: %s: no such interface\n", argv[0]);
		return EXIT_REFUSED;
	}
	r = ctl_new_request("release");
	json_object_object_add(r, "ifindex", json_object_new_int64(ifindex));
	ctl_add_text(r, "direction", argv[1]);
	return ctl_ask(x, r, -1, print_change, NULL);
}

static int monitor(struct context *x, int argc, char **argv)
{
	(void)argv;
	if (argc != 0)
		return ctl_usage_error("monitor", "");
	return ctl_ask(x, ctl_new_request("monitor"), -1, print_line, NULL);
}

/* Without -t nothing is asked for, and nothing shown. */
static int ike_debug(struct context *x, int argc, char **argv)
{
	if (argc != 1 || strcmp(argv[0], "-t") != 0)
		return ctl_usage_error("ike debug", "-t");
	return ctl_ask(x, ctl_new_request("ike-debug"), -1, print_line, NULL);
}

static int log_level(struct context *x, int argc, char **argv)
{
	struct json_object *r;

	if (argc != 1)
		return ctl_usage_error("log", "err|warning|notice|info|debug");
	r = ctl_new_request("log");
	ctl_add_text(r, "level", argv[0]);
	return ctl_ask(x, r, -1, print_nothing, NULL);
}

static int guard_show(struct context *x, int argc, char **argv)
{
	(void)argv;
	if (argc != 0)
		return ctl_usage_error("guard show", "");
	return ctl_ask(x, ctl_new_request("guard-show"), -1, print_line, NULL);
}

static int guard_take_away(struct context *x, int argc, char **argv)
{
	(void)argv;
	if (argc != 0)
		return ctl_usage_error("guard remove", "");
	return ctl_guard_remove(x->statedir) ? EXIT_OK : EXIT_REFUSED;
}

/* A name that means nothing but itself to nft. */
static bool is_plain_name(const char *word, size_t len_max)
{
	const size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	return len > 0 && len <= len_max && word[len] == '\0';
}

static int firewall(struct context *x, int argc, char **argv)
{
	(void)x;
	if (argc > 2 || (argc > 0 && !is_plain_name(argv[0], FIREWALL_TABLE_MAX)) ||
	    (argc > 1 && !is_plain_name(argv[1], IFNAMSIZ - 1)))
		return ctl_usage_error("firewall", "[TABLE [TUN]]");
	ctl_firewall_print(argc > 0 ? argv[0] : "filter", argc > 1 ? argv[1] : "ipspd0");
	return EXIT_OK;
}

static const struct command commands[] = {
	{ "show spd", "", show_spd },
	{ "show sad", "", show_sad },
	{ "show algorithms", "", show_algorithms },
	{ "show rows", "[TABLE]", show_rows },
	{ "show connections", "", show_connections },
	{ "show ike", "", show_ike },
	{ "show problems", "", show_problems },
	{ "show stats", "", show_stats },
	{ "show status", "", show_status },
	{ "lookup", LOOKUP_USAGE, lookup },
	{ "get", "TABLE [INDEX]", get },
	{ "set", "TABLE [INDEX] COLUMN=VALUE..", set },
	{ "create", "TABLE INDEX [COLUMN=VALUE..]", create },
	{ "delete", "TABLE INDEX", delete },
	{ "import", CTL_IMPORT_USAGE, ctl_import },
	{ "export", CTL_EXPORT_USAGE, ctl_export },
	{ "save", "", ctl_save },
	{ "flush", CTL_FLUSH_USAGE, ctl_flush },
	{ "initiate", "NAME|--all", ctl_initiate },
	{ "terminate", "NAME", ctl_terminate },
	{ "rekey", "NAME", ctl_rekey },
	{ "job", CTL_JOB_USAGE, ctl_job },
	{ "reload", "", ctl_reload },
	{ "wait", "[--snmp] [--generation N] [--timeout SECONDS]", wait_for },
	{ "guard show", "", guard_show },
	{ "guard remove", "", guard_take_away },
	{ "firewall", "[TABLE [TUN]]", firewall },
	{ "release", "INTERFACE|all inbound|outbound", release },
	{ "monitor", "", monitor },
	{ "ike debug", "-t", ike_debug },
	{ "log", "err|warning|notice|info|debug", log_level },
};

static void help(FILE *to)
{
	fprintf(to, "usage: ipspctl [-s SOCKET] [-S STATEDIR] [--json] COMMAND\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %s %s\n", commands[i].name, commands[i].usage);
}

/* How many of the words name the command: 1, 2, or 0. */
static int words_matched(const struct command *c, int argc, char **argv)
{
	const char *space = strchr(c->name, ' ');
	size_t first = space ? (size_t)(space - c->name) : strlen(c->name);

	if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], c->name, first) != 0)
		return 0;
	if (!space)
		return 1;
	return argc > 1 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

static int run(struct context *x, int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int words = words_matched(&commands[i], argc, argv);

		if (words)
			return commands[i].run(x, argc - words, argv + words);
	}
	help(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "statedir", required_argument, NULL, 'S' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct context x = { .socket = IPSPD_RUNDIR "/control", .statedir = IPSPD_STATEDIR };
	int c;

	/* "+": options after the command are the command's own. */
	while ((c = getopt_long(argc, argv, "+s:S:jhV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			x.socket = optarg;
			break;
		case 'S':
			x.statedir = optarg;
			break;
		case 'j':
			x.json = true;
			break;
		case 'h':
			help(stdout);
			return EXIT_OK;
		case 'V':
			puts(PACKAGE_STRING);
			return EXIT_OK;
		default:
			help(stderr);
			return EXIT_USAGE;
		}
	}
	c = run(&x, argc - optind, argv + optind);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		fprintf(stderr, "ipspctl: standard output: %s\n", strerror(errno));
		return c == EXIT_OK ? EXIT_REFUSED : c;
	}
	return c;
}
