/*
 * ipspd/control_json.h - JSON of the control socket: hostile requests in, any text out.
 */
#ifndef IPSPD_CONTROL_JSON_H
#define IPSPD_CONTROL_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

/** One JSON object, and nothing behind it; depth is bounded, text is UTF-8. NULL: it is not. */
struct json_object *control_json_parse(const uint8_t *data, size_t len);

/** Puts it, wiping its strings: one of them may be a secret. NULL is allowed. */
void control_json_wipe(struct json_object *o);

/** A JSON string; octets that are not UTF-8 (where a text was cut) become "?". */
struct json_object *control_json_text(const char *text);

#endif
