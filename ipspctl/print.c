/* ipspctl/print.c - answers as text for people. Columns first, details below, as iproute2 does. */
#include "ipspctl/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <net/if.h>

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
	puts(has(item, "difference") ? text(item, "difference") : text(item, "text"));
	fflush(stdout);
}

void print_row(struct json_object *item, bool first)
{
	struct json_object *values;

	(void)first;
	printf("%s.%s\n", text(item, "table"), text(item, "index"));
	if (!json_object_object_get_ex(item, "values", &values))
		return;
	json_object_object_foreach(values, name, value)
		printf("    %-34s %s\n", name, json_object_get_string(value));
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

void print_spd(struct json_object *item, bool first)
{
	static char last[64];
	char where[64], name[IF_NAMESIZE];
	struct json_object *selectors;

	snprintf(where, sizeof(where), "%s %s", interface(item, name), text(item, "direction"));
	if (first || strcmp(last, where) != 0) {
		printf("%s%s:\n", first ? "" : "\n", where);
		snprintf(last, sizeof(last), "%s", where);
	}
	printf("  %-8s %s%s%s  hits %" PRId64 ", %" PRId64 " octets\n", text(item, "action"),
	       text(item, "rule"), flag(item, "log") ? " log" : "",
	       has(item, "sa") ? "" : strcmp(text(item, "action"), "protect") == 0 ? " (no SA)" : "",
	       number(item, "packets"), number(item, "bytes"));
	if (has(item, "sa"))
		printf("           sa %s\n", text(item, "sa"));
	if (!json_object_object_get_ex(item, "selectors", &selectors))
		return;
	for (size_t i = 0; i < json_object_array_length(selectors); i++)
		printf("           %s\n",
		       json_object_get_string(json_object_array_get_idx(selectors, i)));
}

void print_sad(struct json_object *item, bool first)
{
	(void)first;
	printf("%s spi 0x%08" PRIx64 " %s %s  %s -> %s  %s\n", text(item, "protocol"),
	       (uint64_t)number(item, "spi"), text(item, "direction"), text(item, "mode"),
	       text(item, "source"), text(item, "destination"), text(item, "state"));
	printf("    %s\n", text(item, "name"));
	printf("    cipher %s, integrity %s, window %" PRId64 "\n", text(item, "cipher"),
	       text(item, "integrity"), number(item, "window"));
	printf("    sequence %" PRId64 ", packets %" PRId64 ", octets %" PRId64 ", replays %" PRId64
	       ", failed integrity %" PRId64 "\n",
	       number(item, "sequence"), number(item, "packets"), number(item, "bytes"),
	       number(item, "replays"), number(item, "icv-errors"));
}

void print_stats(struct json_object *item, bool first)
{
	if (first)
		puts("dropped packets, by reason:");
	printf("    %-24s %" PRId64 "\n", text(item, "reason"), number(item, "packets"));
}

void print_status(struct json_object *item, bool first)
{
	(void)first;
	json_object_object_foreach(item, key, value) {
		if (!json_object_is_type(value, json_type_array)) {
			printf("%-22s %s\n", key, json_object_get_string(value));
			continue;
		}
		printf("%s:\n", key);
		for (size_t i = 0; i < json_object_array_length(value); i++)
			printf("    %s\n",
			       json_object_get_string(json_object_array_get_idx(value, i)));
	}
}

void print_change(struct json_object *item, bool first)
{
	(void)first;
	if (has(item, "difference")) {
		puts(text(item, "difference"));
		return;
	}
	if (has(item, "created"))
		printf("created %" PRId64 ", changed %" PRId64 ", destroyed %" PRId64 "\n",
		       number(item, "created"), number(item, "changed"),
		       number(item, "destroyed"));
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
	if (has(error, "object"))
		fprintf(stderr, "%s: ", text(error, "object"));
	fprintf(stderr, "%s", text(error, "text"));
	if (strcmp(text(error, "code"), "usage") != 0)
		fprintf(stderr, " (%s)", text(error, "code"));
	fputc('\n', stderr);
}
