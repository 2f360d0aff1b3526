/*
 * ipsp-pcap/counts.c - the summary of a run, as text and as JSON.
 */
#include <inttypes.h>
#include <json-c/json.h>

#include "ipsp-pcap/counts.h"

static const struct {
	const char *key, *text;
} passes[] = {
#define PASS_TEXT(name, key, text) [PC_PASS_##name] = { key, text },
	PC_PASSES(PASS_TEXT)
#undef PASS_TEXT
};

uint64_t pc_counts_dropped(const struct pc_counts *c)
{
	uint64_t n = 0;

	for (unsigned r = 0; r < IPSP_N_REASONS; r++)
		n += c->dropped[r];
	return n;
}

static uint64_t passed(const struct pc_counts *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PC_N_PASSES; i++)
		n += c->passed[i];
	return n;
}

static void row(FILE *out, const char *key, uint64_t n, const char *text)
{
	if (n > 0)
		fprintf(out, "    %-20s %" PRIu64 "  (%s)\n", key, n, text);
}

void pc_counts_print(const struct pc_counts *c, const char *verb, FILE *out)
{
	fprintf(out, "%" PRIu64 " packets read, %" PRIu64 " written\n", c->read, c->written);
	fprintf(out, "  %-22s %" PRIu64, verb, c->changed);
	fprintf(out, c->layers == c->changed ? "\n" : " (%" PRIu64 " layers)\n", c->layers);
	if (c->held)
		fprintf(out, "  %-22s %" PRIu64 " (%" PRIu64 " packets put together)\n",
			"fragments held", c->held, c->joined);
	fprintf(out, "  %-22s %" PRIu64 "\n", "passed unchanged", passed(c));
	for (unsigned i = 0; i < PC_N_PASSES; i++)
		row(out, passes[i].key, c->passed[i], passes[i].text);
	fprintf(out, "  %-22s %" PRIu64, "dropped", pc_counts_dropped(c));
	fprintf(out, c->kept ? " (written as they came)\n" : "\n");
	for (unsigned r = 0; r < IPSP_N_REASONS; r++)
		row(out, ipsp_reason_key((enum ipsp_reason)r), c->dropped[r],
		    ipsp_reason_text((enum ipsp_reason)r));
}

/* Takes value. */
static bool add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_count(struct json_object *object, const char *key, uint64_t n)
{
	return add(object, key, json_object_new_uint64(n));
}

static bool add_passed(struct json_object *root, const struct pc_counts *c)
{
	struct json_object *object = json_object_new_object();
	bool good = object != NULL;

	for (unsigned i = 0; good && i < PC_N_PASSES; i++)
		good = !c->passed[i] || add_count(object, passes[i].key, c->passed[i]);
	if (good)
		return add(root, "passed", object);
	json_object_put(object);
	return false;
}

static bool add_dropped(struct json_object *root, const struct pc_counts *c)
{
	struct json_object *object = json_object_new_object();
	bool good = object != NULL;

	for (unsigned r = 0; good && r < IPSP_N_REASONS; r++)
		good = !c->dropped[r] ||
		       add_count(object, ipsp_reason_key((enum ipsp_reason)r), c->dropped[r]);
	if (good)
		return add(root, "dropped", object);
	json_object_put(object);
	return false;
}

bool pc_counts_json(const struct pc_counts *c, const char *verb, FILE *out)
{
	struct json_object *root = json_object_new_object();
	bool good = root && add_count(root, "read", c->read) &&
		    add_count(root, "written", c->written) && add_count(root, verb, c->changed) &&
		    add_count(root, "esp-headers", c->layers) &&
		    add_count(root, "fragments-held", c->held) &&
		    add_count(root, "put-together", c->joined) && add_passed(root, c) &&
		    add_dropped(root, c) && add_count(root, "dropped-but-written", c->kept);

	if (good)
		fprintf(out, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
	json_object_put(root);
	return good;
}
