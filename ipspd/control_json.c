/* ipspd/control_json.c - JSON of the control socket. See control_json.h. */
#include "config.h"

#include "ipspd/control_json.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json_visit.h>
#include <json-c/printbuf.h>

#define JSON_DEPTH_MAX 8

static bool lacked;

/* Members that the text names: a colon outside of a string stands behind each name. */
static size_t members_named(const uint8_t *data, size_t len)
{
	bool in_string = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == '"')
			in_string = !in_string;
		else if (data[i] == '\\' && in_string)
			i++;
		else
			n += data[i] == ':' && !in_string;
	}
	return n;
}

static int count_member(struct json_object *o, int flags, struct json_object *parent,
			const char *key, size_t *index, void *arg)
{
	size_t *n = arg;

	(void)o;
	(void)parent;
	(void)index;
	*n += key && !(flags & JSON_C_VISIT_SECOND);
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* A name that stands twice, or json-c had no memory for its member. */
static bool lacks_members(struct json_object *o, const uint8_t *data, size_t len)
{
	size_t n = 0;

	json_c_visit(o, 0, count_member, &n);
	return n != members_named(data, len);
}

/*
 * Room for the longest text that can come: json-c does not notice when it finds none, and leaves a
 * piece out.
 */
static bool make_room(struct json_tokener *t, size_t len)
{
	const bool done = printbuf_memset(t->pb, 0, 0, (int)len + 1) >= 0;

	printbuf_reset(t->pb);
	return done;
}

struct json_object *control_json_parse(const uint8_t *data, size_t len)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *o = NULL;

	if (!t)
		return NULL;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	if (make_room(t, len))
		o = json_tokener_parse_ex(t, (const char *)data, (int)len);
	if (o && (json_tokener_get_error(t) != json_tokener_success ||
		  json_tokener_get_parse_end(t) != len ||
		  !json_object_is_type(o, json_type_object) || lacks_members(o, data, len))) {
		control_json_wipe(o);
		o = NULL;
	}
	explicit_bzero(t->pb->buf, (size_t)t->pb->size);
	json_tokener_free(t);
	return o;
}

static int wipe(struct json_object *o, int flags, struct json_object *parent, const char *key,
		size_t *index, void *arg)
{
	(void)parent;
	(void)key;
	(void)index;
	(void)arg;
	if (!(flags & JSON_C_VISIT_SECOND) && json_object_is_type(o, json_type_string))
		explicit_bzero((char *)(uintptr_t)json_object_get_string(o),
			       (size_t)json_object_get_string_len(o));
	return JSON_C_VISIT_RETURN_CONTINUE;
}

void control_json_wipe(struct json_object *o)
{
	if (!o)
		return;
	json_c_visit(o, 0, wipe, NULL);
	json_object_put(o);
}

/* Octets of the well-formed UTF-8 character that s begins with (RFC 3629 4); 0: there is none. */
static size_t character(const unsigned char *s)
{
	static const struct {
		unsigned char first_lo, first_hi, second_lo, second_hi;
		size_t len;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t n = 2;

		if (s[0] < forms[i].first_lo || s[0] > forms[i].first_hi)
			continue;
		if (forms[i].len == 1)
			return 1;
		if (s[1] < forms[i].second_lo || s[1] > forms[i].second_hi)
			return 0;
		while (n < forms[i].len && (s[n] & 0xc0) == 0x80)
			n++;
		return n == forms[i].len ? n : 0;
	}
	return 0;
}

struct json_object *control_json_text(const char *text)
{
	size_t len = strlen(text), n;
	char *copy = malloc(len + 1);
	struct json_object *o;

	if (!copy)
		return NULL;
	memcpy(copy, text, len + 1);
	for (char *at = copy; *at; at += n) {
		n = character((const unsigned char *)at);
		if (!n) {
			*at = '?';
			n = 1;
		}
	}
	o = json_object_new_string_len(copy, (int)len);
	free(copy);
	return o;
}

/* ---- what is made without memory ---- */

void control_json_lacks(void)
{
	lacked = true;
}

bool control_json_lacked(void)
{
	const bool was = lacked;

	lacked = false;
	return was;
}

void control_json_add(struct json_object *o, const char *key, struct json_object *v)
{
	if (o && v &&
	    json_object_object_add_ex(o, key, v, JSON_C_OBJECT_ADD_CONSTANT_KEY) == 0)
		return;
	lacked = true;
	json_object_put(v);
}

void control_json_append(struct json_object *list, struct json_object *v)
{
	if (list && v && json_object_array_add(list, v) == 0)
		return;
	lacked = true;
	json_object_put(v);
}

/*
 * json-c leaves out what it finds no room for and says nothing, so what it wrote is read again.
 */
const char *control_json_print(struct json_object *o, size_t *len)
{
	const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, len);
	struct json_object *again;
	bool same;

	if (!o || !text)
		return NULL;
	again = control_json_parse((const uint8_t *)text, *len);
	same = again && json_object_equal(o, again);
	json_object_put(again);
	return same ? text : NULL;
}
