/* ipspd/control_json.c - JSON of the control socket. See control_json.h. */
#include "config.h"

#include "ipspd/control_json.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json_visit.h>
#include <json-c/printbuf.h>

#define JSON_DEPTH_MAX 8

struct json_object *control_json_parse(const uint8_t *data, size_t len)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *o;

	if (!t)
		return NULL;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(t, (const char *)data, (int)len);
	if (o && (json_tokener_get_error(t) != json_tokener_success ||
		  json_tokener_get_parse_end(t) != len ||
		  !json_object_is_type(o, json_type_object))) {
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
