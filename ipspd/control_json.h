/*
 * ipspd/control_json.h - JSON of the control socket: hostile requests in, any text out.
 */
#ifndef IPSPD_CONTROL_JSON_H
#define IPSPD_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

/**
 * One JSON object, and nothing behind it; depth is bounded, text is UTF-8, and no member stands in
 * it twice. NULL: it is not, or there is no memory for it.
 */
struct json_object *control_json_parse(const uint8_t *data, size_t len);

/** Puts it, wiping its strings: one of them may be a secret. NULL is allowed. */
void control_json_wipe(struct json_object *o);

/** A JSON string; octets that are not UTF-8 (where a text was cut) become "?". */
struct json_object *control_json_text(const char *text);

/**
 * Adds a member or element; takes v. What is NULL, o or v, was made without memory: then, and when
 * there is none here, the lack is remembered for control_json_lacked.
 * @param key  kept, not copied: a constant
 */
void control_json_add(struct json_object *o, const char *key, struct json_object *v);
void control_json_append(struct json_object *list, struct json_object *v);

/** Remembers a lack of memory: something is not in what was made. */
void control_json_lacks(void);

/** Has anything lacked memory since this was last asked? What was made since may not be whole. */
bool control_json_lacked(void);

/** The object as text, internal to it. NULL: no memory for all of it. */
const char *control_json_print(struct json_object *o, size_t *len);

#endif
