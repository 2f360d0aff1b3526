/*
 * ipspctl/print.c - answers as text for people. Columns first, details below, as iproute2 does.
 *
 * Names and texts come from managers and files: control characters never reach the terminal.
 */
#include "ipspctl/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <net/if.h>

/* C0, DEL, and the C1 controls, which are two octets of UTF-8 each. */
static size_t control_length(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;

	if (c[0] < 0x20 || c[0] == 0x7f)
		return 1;
	return c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f ? 2 : 0;
}

static void put_safe(FILE *to, const char *s)
{
	while (*s) {
		size_t n = control_length(s);

		if (n == 1 && *s == '\n')
			fputs("\\n", to);
		else if (n)
			fprintf(to, "\\x%02x", (unsigned char)s[n - 1]);
		else
			fputc(*s, to);
		s += n ? n : 1;
	}
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && v ? json_object_get_string(v) : "";
}

static int64_t number(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : 0;
}

static bool has(struct json_object *o, const char *key)
{
	return json_object_object_get_ex(o, key, NULL);
}

static bool flag(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_get_boolean(v);
}

void print_nothing(struct json_object *item, bool first)
{
	(void)item;
	(void)first;
}

void print_line(struct json_object *item, bool first)
{
	(void)first;
	if (has(item, "lost"))
		printf("(%" PRId64 " lines lost)\n", number(item, "lost"));
	if (has(item, "kind"))
		printf("[%s] ", text(item, "kind"));
	put_safe(stdout, text(item, "text"));
	putchar('\n');
	fflush(stdout);
}

void print_row(struct json_object *item, bool first)
{
	struct json_object *values;

	(void)first;
	printf("%s.", text(item, "table"));
	put_safe(stdout, text(item, "index"));
	putchar('\n');
	if (!json_object_object_get_ex(item, "values", &values))
		return;
	json_object_object_foreach(values, name, value) {
		printf("    %-34s ", name);
		put_safe(stdout, json_object_get_string(value));
		putchar('\n');
	}
}

/* The daemon speaks of ifIndexes; a person knows names, as this namespace has them. */
static const char *interface(struct json_object *item, char buf[IF_NAMESIZE])
{
	int64_t ifindex = number(item, "ifindex");

	if (ifindex == 0)
		return "all";
	if (!if_indextoname((unsigned)ifindex, buf))
		snprintf(buf, IF_NAMESIZE, "if%" PRId64, ifindex);
	return buf;
}

static void print_lines(struct json_object *item, const char *list)
{
	struct json_object *lines;

	if (!json_object_object_get_ex(item, list, &lines))
		return;
	for (size_t i = 0; i < json_object_array_length(lines); i++) {
		printf("           ");
		put_safe(stdout, json_object_get_string(json_object_array_get_idx(lines, i)));
		putchar('\n');
	}
}

void print_spd(struct json_object *item, bool first)
{
	static char last[64];
	char where[64], name[IF_NAMESIZE];
	bool protects = strcmp(text(item, "action"), "protect") == 0;

	snprintf(where, sizeof(where), "%s %s", interface(item, name), text(item, "direction"));
	if (first || strcmp(last, where) != 0) {
		printf("%s%s:\n", first ? "" : "\n", where);
		snprintf(last, sizeof(last), "%s", where);
	}
	printf("  %-8s ", text(item, "action"));
	put_safe(stdout, text(item, "rule"));
	printf("%s%s%s", flag(item, "log") ? " log" : "", flag(item, "may") ? " (may match)" : "",
	       protects && !has(item, "sa") && !has(item, "actions") ? " (no SA)" : "");
	if (has(item, "packets"))
		printf("  hits %" PRId64 ", %" PRId64 " octets", number(item, "packets"),
		       number(item, "bytes"));
	putchar('\n');
	if (has(item, "sa")) {
		printf("           sa ");
		put_safe(stdout, text(item, "sa"));
		putchar('\n');
	}
	print_lines(item, "actions");
	print_lines(item, "selectors");
}

/* "lifetime 3600 s, 1000 packets; soft 3000 s": those that there are. */
static void print_lives(struct json_object *item)
{
	static const struct {
		const char *key, *before, *unit;
	} lives[] = {
		{ "life-seconds", "lifetime", "s" },
		{ "life-use-seconds", "lifetime", "s of use" },
		{ "life-bytes", "lifetime", "octets" },
		{ "life-packets", "lifetime", "packets" },
		{ "life-idle-seconds", "lifetime", "s without a packet" },
		{ "soft-seconds", "soft", "s" },
		{ "soft-use-seconds", "soft", "s of use" },
		{ "soft-bytes", "soft", "octets" },
		{ "soft-packets", "soft", "packets" },
	};
	const char *before = "";

	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		if (!has(item, lives[i].key))
			continue;
		if (strcmp(before, lives[i].before) == 0)
			printf(", ");
		else
			printf("%s%s ", before[0] ? "; " : "    ", lives[i].before);
		before = lives[i].before;
		printf("%" PRId64 " %s", number(item, lives[i].key), lives[i].unit);
	}
	if (before[0])
		putchar('\n');
}

void print_sad(struct json_object *item, bool first)
{
	(void)first;
	if (has(item, "spi"))
		printf("%s spi 0x%08" PRIx64 " %s %s", text(item, "protocol"),
		       (uint64_t)number(item, "spi"), text(item, "direction"), text(item, "mode"));
	else
		printf("in clear");
	printf("  %s -> %s  %s\n    ", text(item, "source"), text(item, "destination"),
	       text(item, "state"));
	put_safe(stdout, text(item, "name"));
	if (strcmp(text(item, "origin"), "row") != 0)
		printf(", number %" PRId64 ", of %s", number(item, "index"),
		       has(item, "spi") ? "a key manager" : "nobody");
	putchar('\n');
	if (has(item, "cipher"))
		printf("    cipher %s, integrity %s, window %" PRId64 "\n", text(item, "cipher"),
		       text(item, "integrity"), number(item, "window"));
	if (has(item, "selector"))
		printf("    for %s\n", text(item, "selector"));
	print_lives(item);
	if (!has(item, "sequence"))
		return;
	printf("    sequence %" PRId64 ", packets %" PRId64 ", octets %" PRId64 ", replays %" PRId64
	       ", failed integrity %" PRId64 "\n",
	       number(item, "sequence"), number(item, "packets"), number(item, "bytes"),
	       number(item, "replays"), number(item, "icv-errors"));
	if (number(item, "dummies") > 0)
		printf("    dummy packets %" PRId64 "\n", number(item, "dummies"));
	if (has(item, "path-mtu"))
		printf("    path MTU %" PRId64 "\n", number(item, "path-mtu"));
}

static void print_icmp(struct json_object *counts)
{
	puts("ICMP errors:");
	json_object_object_foreach(counts, key, value)
		printf("    %-35s %" PRId64 "\n", key, json_object_get_int64(value));
}

void print_stats(struct json_object *item, bool first)
{
	struct json_object *icmp;

	if (json_object_object_get_ex(item, "icmp-errors", &icmp)) {
		print_icmp(icmp);
		return;
	}
	if (has(item, "sent-by-packet-socket")) {
		printf("packets sent by packet socket: %" PRId64 "\n",
		       number(item, "sent-by-packet-socket"));
		return;
	}
	if (first)
		puts("dropped packets, by reason:");
	printf("    %-24s %-10s %" PRId64 "\n", text(item, "reason"), text(item, "class"),
	       number(item, "packets"));
}

static void print_library(struct json_object *item)
{
	printf("library %s", text(item, "library"));
	if (number(item, "wrong-answers") > 0)
		printf(": %" PRId64 " answers differ from the published ones",
		       number(item, "wrong-answers"));
	putchar('\n');
}

void print_algorithms(struct json_object *item, bool first)
{
	char what[128];

	(void)first;
	if (has(item, "library")) {
		print_library(item);
		return;
	}
	snprintf(what, sizeof(what), "%s%s%s", text(item, "cipher"),
		 has(item, "cipher") && has(item, "integrity") ? " " : "", text(item, "integrity"));
	printf("%-6s %-40s", text(item, "protocol"), what);
	if (has(item, "key-bits"))
		printf(" %3" PRId64 " bits", number(item, "key-bits"));
	else
		printf("         ");
	printf("  %s", has(item, "by") ? text(item, "by") : "not offered: nobody computes it right");
	if (has(item, "mbits-per-s"))
		printf(", %" PRId64 " Mbit/s", number(item, "mbits-per-s"));
	puts(has(item, "weak") ? ", weak" : "");
}

/* Each member on a line of its own, indented. */
static void print_members(struct json_object *o)
{
	json_object_object_foreach(o, key, value) {
		printf("    %-18s ", key);
		put_safe(stdout, json_object_get_string(value));
		putchar('\n');
	}
}

void print_status(struct json_object *item, bool first)
{
	(void)first;
	json_object_object_foreach(item, key, value) {
		if (json_object_is_type(value, json_type_object)) {
			printf("%s:\n", key);
			print_members(value);
			continue;
		}
		if (!json_object_is_type(value, json_type_array)) {
			printf("%-22s ", key);
			put_safe(stdout, json_object_get_string(value));
			putchar('\n');
			continue;
		}
		printf("%s:\n", key);
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			printf("    ");
			put_safe(stdout,
				 json_object_get_string(json_object_array_get_idx(value, i)));
			putchar('\n');
		}
	}
}

void print_change(struct json_object *item, bool first)
{
	(void)first;
	if (has(item, "difference")) {
		put_safe(stdout, text(item, "difference"));
		putchar('\n');
		return;
	}
	if (has(item, "not-ready")) {
		printf("not ready: ");
		put_safe(stdout, text(item, "not-ready"));
		putchar('\n');
		return;
	}
	if (has(item, "created"))
		printf("created %" PRId64 ", changed %" PRId64 ", destroyed %" PRId64 "\n",
		       number(item, "created"), number(item, "changed"),
		       number(item, "destroyed"));
	if (number(item, "rows-not-ready"))
		printf("%" PRId64 " rows are not ready, and what they protect is dropped\n",
		       number(item, "rows-not-ready"));
	if (number(item, "generation"))
		printf("generation %" PRId64 "\n", number(item, "generation"));
}

void print_error(struct json_object *error, const char *file)
{
	fprintf(stderr, "ipspctl: ");
	if (file)
		fprintf(stderr, "%s:", file);
	if (has(error, "line"))
		fprintf(stderr, "%" PRId64 ":", number(error, "line"));
	if (file)
		fputc(' ', stderr);
	if (has(error, "object")) {
		put_safe(stderr, text(error, "object"));
		fprintf(stderr, ": ");
	}
	put_safe(stderr, text(error, "text"));
	if (strcmp(text(error, "code"), "usage") != 0)
		fprintf(stderr, " (%s)", text(error, "code"));
	fputc('\n', stderr);
}
