/*
 * ipspd/control_request.c - the members of a request: known, of their types, and read by name.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ipspd/control_client.h"

const char *request_text(struct json_object *request, const char *key)
{
	struct json_object *o;

	return json_object_object_get_ex(request, key, &o) ? json_object_get_string(o) : NULL;
}

bool request_flag(struct json_object *request, const char *key)
{
	struct json_object *o;

	return json_object_object_get_ex(request, key, &o) && json_object_get_boolean(o);
}

int64_t request_number(struct json_object *request, const char *key, int64_t fallback)
{
	struct json_object *o;

	return json_object_object_get_ex(request, key, &o) ? json_object_get_int64(o) : fallback;
}

bool json_text_has_nul(struct json_object *o)
{
	return strlen(json_object_get_string(o)) != (size_t)json_object_get_string_len(o);
}

static const struct control_member *find_member(const struct control_command *command,
						const char *name)
{
	const struct control_member *m = command->members;

	while (m->name && strcmp(m->name, name) != 0)
		m++;
	return m->name ? m : NULL;
}

static bool is_of_type(struct json_object *o, enum json_type type)
{
	if (!json_object_is_type(o, type))
		return false;
	if (type == json_type_string)
		return !json_text_has_nul(o);
	return type != json_type_int || json_object_get_int64(o) >= 0;
}

/* A member that is passed over could be the one that made the request harmless. */
bool client_check_members(struct control_client *c)
{
	struct json_object_iterator i = json_object_iter_begin(c->request);
	struct json_object_iterator end = json_object_iter_end(c->request);
	char text[160];

	for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
		const char *name = json_object_iter_peek_name(&i);
		const struct control_member *m = find_member(c->command, name);

		if (strcmp(name, "command") == 0 ||
		    (m && is_of_type(json_object_iter_peek_value(&i), m->type)))
			continue;
		if (m)
			snprintf(text, sizeof(text), "%s: '%s' is no valid %s", c->command->name,
				 name, json_type_to_name(m->type));
		else
			snprintf(text, sizeof(text), "%s has no member '%.64s'", c->command->name,
				 name);
		client_usage(c, text);
		return false;
	}
	return true;
}
