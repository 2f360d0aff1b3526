/*
 * ike/printer.c - fields as lines.
 */
#include "ike/printer.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OCTETS_A_LINE 8u
#define TEXT_MAX 256u
#define LINE_MAX_LEN (TEXT_MAX + 64u)
#define DEPTH_MAX 8u

uint32_t ike_number(struct ipsp_span octets)
{
	uint32_t n = 0;

	for (size_t i = 0; i < octets.len && i < sizeof(n); i++)
		n = n << 8 | octets.data[i];
	return n;
}

bool ike_printer_broken(struct ike_printer *p, const char *what, const uint8_t *where)
{
	p->fault = (struct ike_fault){ what, where };
	return false;
}

static int indent(const struct ike_printer *p)
{
	return (int)(2 * (p->depth < DEPTH_MAX ? p->depth : DEPTH_MAX));
}

static void out(struct ike_printer *p, const char *line)
{
	p->decoder->line(p->decoder->arg, line);
}

void ike_print_title(struct ike_printer *p, const char *format, ...)
{
	char text[TEXT_MAX], line[LINE_MAX_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "%*s%s", 4 + 2 + 3 * (int)OCTETS_A_LINE + indent(p), "", text);
	out(p, line);
}

static void hex_line(struct ike_printer *p, struct ipsp_span octets, const char *text)
{
	char hex[3 * OCTETS_A_LINE + 1] = "", line[LINE_MAX_LEN];

	for (size_t i = 0; i < octets.len; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, "%02x ", octets.data[i]);
	snprintf(line, sizeof(line), "%04zx  %-*s%*s%s", (size_t)(octets.data - p->base),
		 3 * (int)OCTETS_A_LINE, hex, text[0] ? indent(p) : 0, "", text);
	line[strcspn(line, "\n")] = '\0';
	for (size_t n = strlen(line); n > 0 && line[n - 1] == ' '; n--)
		line[n - 1] = '\0';
	out(p, line);
}

void ike_print(struct ike_printer *p, struct ipsp_span octets, const char *format, ...)
{
	char text[TEXT_MAX];
	struct ipsp_span some;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	while (ike_take(&octets, octets.len < OCTETS_A_LINE ? octets.len : OCTETS_A_LINE, &some) &&
	       some.len > 0) {
		hex_line(p, some, text);
		text[0] = '\0';
	}
}

void ike_print_number(struct ike_printer *p, struct ipsp_span octets, const char *name,
		      enum ike_list list)
{
	const char *known = ike_name(list, ike_number(octets));

	if (known)
		ike_print(p, octets, "%s: %u (%s)", name, ike_number(octets), known);
	else
		ike_print(p, octets, "%s: %u", name, ike_number(octets));
}

bool ike_print_fields(struct ike_printer *p, struct ipsp_span *rest,
		      const struct ike_field *fields, size_t n)
{
	struct ipsp_span field;

	for (size_t i = 0; i < n; i++) {
		if (!ike_take(rest, fields[i].len, &field)) {
			ike_print_rest(p, *rest, fields[i].name);
			return ike_printer_broken(p, "a field is cut short",
						  rest->data + rest->len);
		}
		if (field.len <= 4)
			ike_print_number(p, field, fields[i].name, fields[i].list);
		else
			ike_print(p, field, "%s", fields[i].name);
	}
	return true;
}

static bool is_text(struct ipsp_span octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		if (octets.data[i] < 0x20 || octets.data[i] > 0x7e)
			return false;
	}
	return octets.len > 0 && octets.len < TEXT_MAX - 32;
}

void ike_print_rest(struct ike_printer *p, struct ipsp_span rest, const char *name)
{
	if (rest.len == 0)
		return;
	if (is_text(rest))
		ike_print(p, rest, "%s: \"%.*s\"", name, (int)rest.len, (const char *)rest.data);
	else
		ike_print(p, rest, "%s (%zu octets)", name, rest.len);
}

void ike_print_address(struct ike_printer *p, struct ipsp_span octets, const char *name)
{
	char text[INET6_ADDRSTRLEN];

	if ((octets.len == 4 && inet_ntop(AF_INET, octets.data, text, sizeof(text))) ||
	    (octets.len == 16 && inet_ntop(AF_INET6, octets.data, text, sizeof(text))))
		ike_print(p, octets, "%s: %s", name, text);
	else
		ike_print_rest(p, octets, name);
}
