/*
 * ike/printer.h - lines of a decoded message: fields one after the other, taken off a rest.
 * Internal to the decoder.
 */
#ifndef IKE_PRINTER_H
#define IKE_PRINTER_H

#include "ike/decode.h"

struct ike_printer {
	const struct ike_decoder *decoder;
	const uint8_t *base;	/* offset 0 of what is printed now */
	unsigned depth;		/* of what stands inside something else */
	bool v1;
	bool put_together;	/* of pieces: what is in it is not a piece again */
	struct ike_fault fault;	/* what NULL: none yet */
};

/** One field of a fixed form. */
struct ike_field {
	const char *name;
	uint8_t len;		/* up to 4 octets: printed as a number too */
	enum ike_list list;	/* whose number it is */
};

/** A line without octets. */
void ike_print_title(struct ike_printer *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Octets, eight a line, with the text behind the first ones. */
void ike_print(struct ike_printer *p, struct ipsp_span octets, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Takes and prints fields. @return false: they are cut short; p->fault says so */
IPSP_MUST_CHECK bool ike_print_fields(struct ike_printer *p, struct ipsp_span *rest,
				      const struct ike_field *fields, size_t n);

/** "name: number (NAME)". */
void ike_print_number(struct ike_printer *p, struct ipsp_span octets, const char *name,
		      enum ike_list list);

/** All that is left, if anything is; with its letters where all of them can be printed. */
void ike_print_rest(struct ike_printer *p, struct ipsp_span rest, const char *name);

/** An address of 4 or 16 octets, or octets. */
void ike_print_address(struct ike_printer *p, struct ipsp_span octets, const char *name);

/** Up to 4 octets as a number in host order. */
uint32_t ike_number(struct ipsp_span octets);

bool ike_printer_broken(struct ike_printer *p, const char *what, const uint8_t *where);

/** Prints bodies. @return false: a fault */
bool ike_print_v2_body(struct ike_printer *p, const struct ike_payload *payload);
bool ike_print_v1_body(struct ike_printer *p, const struct ike_payload *payload);

/* What both versions have. */
bool ike_print_id(struct ike_printer *p, struct ipsp_span body, bool v1);
bool ike_print_cert(struct ike_printer *p, struct ipsp_span body);

#define IKE_N_OF(a) (sizeof(a) / sizeof((a)[0]))

#endif
