/*
 * tests/net/guard-driver.c - puts guards into the kernel for tests/net/test_guard_packets.py.
 *
 *   guard-driver STATEDIR change KEEP SERIAL [TUN] < layers     guard_change
 *   guard-driver STATEDIR load [TUN]                            what a start does with a saved guard
 *   guard-driver STATEDIR show
 *   guard-driver STATEDIR remove
 *   guard-driver STATEDIR hold                                  keeps it locked until killed
 *
 * Layers are lines: "layer", "list IFNAME|any in|out", "entry bypass|protect|discard [log|clear]",
 * "box 4|6 [src=LO-HI] [dst=LO-HI] [proto=N-N] [sport=N-N] [dport=N-N] [dscp=N-N] [flow=N-N]
 * [hides=only|never]";
 * "change KEEP SERIAL" makes a change of the layers before it.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipspd/guard.h"
#include "ipspd/messages.h"

#define BOXES_MAX 20000
#define ENTRIES_MAX 20000
#define LISTS_MAX 64

static struct ipsp_selector boxes[BOXES_MAX];
static struct ipsp_spd_entry entries[ENTRIES_MAX];
static struct ipsp_spd_list lists[LISTS_MAX];
static size_t n_boxes, n_entries, n_lists, first_list;

static struct guard_layer layers[GUARD_LAYERS_MAX];
static size_t n_layers;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "guard-driver: %s: %s\n", what, why);
	exit(1);
}

/* ---- layers ---- */

static int collect(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	return wire_builder_add((struct wire_builder *)arg, type, data, len);
}

static void end_layer(uint32_t serial)
{
	struct wire_builder *b = wire_builder_new(serial);

	if (wire_put_lists(&lists[first_list], n_lists - first_list, collect, b) < 0)
		die("layer", wire_builder_why(b));
	if (wire_builder_finish_lists(b, &layers[n_layers].gen) < 0)
		die("layer", "not whole");
	layers[n_layers].serial = serial;
	layers[n_layers++].generation = serial;
	first_list = n_lists;
}

static void numbers(const char *text, uint32_t *lo, uint32_t *hi)
{
	char *end;

	*lo = *hi = (uint32_t)strtoul(text, &end, 0);
	if (*end == '-')
		*hi = (uint32_t)strtoul(end + 1, NULL, 0);
}

static void addresses(char *text, uint8_t family, struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	int af = family == 4 ? AF_INET : AF_INET6;
	char *second = strchr(text, '-');

	if (second)
		*second++ = '\0';
	if (inet_pton(af, text, lo->octets) != 1 ||
	    inet_pton(af, second ? second : text, hi->octets) != 1)
		die("address", text);
}

static void take_box(void)
{
	struct ipsp_selector *s = &boxes[n_boxes++];
	uint32_t lo, hi;

	ipsp_selector_any(strcmp(strtok(NULL, " \n"), "4") == 0 ? 4 : 6, s);
	for (char *word = strtok(NULL, " \n"); word; word = strtok(NULL, " \n")) {
		char *value = strchr(word, '=');

		if (!value)
			die("box", word);
		*value++ = '\0';
		if (strcmp(word, "src") == 0) {
			addresses(value, s->family, &s->src_lo, &s->src_hi);
			continue;
		}
		if (strcmp(word, "dst") == 0) {
			addresses(value, s->family, &s->dst_lo, &s->dst_hi);
			continue;
		}
		if (strcmp(word, "hides") == 0) {
			s->hides = strcmp(value, "only") == 0 ? IPSP_HIDES_ONLY : IPSP_HIDES_NEVER;
			continue;
		}
		numbers(value, &lo, &hi);
		if (strcmp(word, "proto") == 0) {
			s->proto_lo = (uint8_t)lo;
			s->proto_hi = (uint8_t)hi;
		} else if (strcmp(word, "dscp") == 0) {
			s->dscp_lo = (uint8_t)lo;
			s->dscp_hi = (uint8_t)hi;
		} else if (strcmp(word, "sport") == 0) {
			s->sport_lo = lo;
			s->sport_hi = hi;
		} else if (strcmp(word, "dport") == 0) {
			s->dport_lo = lo;
			s->dport_hi = hi;
		} else if (strcmp(word, "flow") == 0) {
			s->flow_lo = lo;
			s->flow_hi = hi;
		} else {
			die("box", word);
		}
	}
	entries[n_entries - 1].n_selectors++;
}

static void take_entry(void)
{
	const char *action = strtok(NULL, " \n"), *how = strtok(NULL, " \n");

	entries[n_entries] = (struct ipsp_spd_entry){
		.id = n_entries + 1, .log = how && strcmp(how, "log") == 0,
		.accept_clear = how && strcmp(how, "clear") == 0, .selectors = &boxes[n_boxes],
		.action = strcmp(action, "bypass") == 0 ? IPSP_BYPASS :
			  strcmp(action, "protect") == 0 ? IPSP_PROTECT : IPSP_DISCARD,
	};
	n_entries++;
	lists[n_lists - 1].n_entries++;
}

static void take_list(void)
{
	const char *name = strtok(NULL, " \n"), *dir = strtok(NULL, " \n");
	bool any = strcmp(name, "any") == 0;

	lists[n_lists] = (struct ipsp_spd_list){
		.ifindex = any ? 0 : if_nametoindex(name), .entries = &entries[n_entries],
		.dir = strcmp(dir, "in") == 0 ? IPSP_INBOUND : IPSP_OUTBOUND,
	};
	if (!any && lists[n_lists].ifindex == 0)
		die("interface", name);
	n_lists++;
}

static void change(struct guard *g, uint32_t keep)
{
	const char *why = "";

	if (guard_change(g, keep, layers, n_layers, &why) < 0)
		die("change", why);
	n_layers = 0;
}

/* "change KEEP SERIAL": the layers so far, under that serial; more follow. */
static void take_change(struct guard *g, bool begun)
{
	uint32_t keep = (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0);
	uint32_t serial = (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0);

	if (begun)
		end_layer(serial);
	change(g, keep);
}

static void read_layers(struct guard *g, uint32_t serial)
{
	char line[512];
	bool begun = false;

	while (fgets(line, sizeof(line), stdin)) {
		const char *word = strtok(line, " \n");

		if (!word)
			continue;
		if (n_boxes == BOXES_MAX || n_entries == ENTRIES_MAX || n_lists == LISTS_MAX)
			die("input", "too much");
		if (strcmp(word, "layer") == 0) {
			if (begun)
				end_layer(serial);
			begun = true;
		} else if (strcmp(word, "change") == 0) {
			take_change(g, begun);
			begun = false;
		} else if (strcmp(word, "list") == 0) {
			take_list();
		} else if (strcmp(word, "entry") == 0) {
			take_entry();
		} else if (strcmp(word, "box") == 0) {
			take_box();
		} else {
			die("input", word);
		}
	}
	if (begun)
		end_layer(serial);
}

/* ---- commands ---- */

static struct guard *open_guard(const char *statedir)
{
	struct guard *g;
	int fd = open(statedir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(statedir, strerror(errno));
	int rc = guard_open(fd, &g);
	if (rc < 0)
		die("guard", strerror(-rc));
	close(fd);
	return g;
}

static void set_tun(struct guard *g, const char *name)
{
	const char *why = "";
	int rc = name ? guard_set_tun(g, if_nametoindex(name), name, &why) : guard_apply(g, &why);

	if (rc < 0)
		die("guard", why);
}

int main(int argc, char **argv)
{
	const char *why = "";

	if (argc < 3)
		return 2;
	if (strcmp(argv[2], "remove") == 0) {
		if (guard_remove(argv[1], &why) < 0)
			die("remove", why);
		return 0;
	}
	struct guard *g = open_guard(argv[1]);
	if (strcmp(argv[2], "change") == 0 && argc >= 5) {
		set_tun(g, argv[5]);
		read_layers(g, (uint32_t)strtoul(argv[4], NULL, 0));
		change(g, (uint32_t)strtoul(argv[3], NULL, 0));
	} else if (strcmp(argv[2], "load") == 0) {
		set_tun(g, argv[3]);
	} else if (strcmp(argv[2], "show") == 0) {
		char *text = guard_show(g);

		fputs(text ? text : "", stdout);
		free(text);
	} else if (strcmp(argv[2], "hold") == 0) {
		puts("held");
		fflush(stdout);
		pause();
	} else {
		return 2;
	}
	guard_free(g);
	return 0;
}
