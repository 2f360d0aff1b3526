/*
 * ike/decode_v2.c - bodies of IKEv2's payloads, a field a line. RFC 7296 3.3 to 3.16, and the
 * notifications of its successors.
 */
#include <stdio.h>
#include <sys/endian.h>

#include "ike/printer.h"

/* ---- SA, RFC 7296 3.3 ---- */

static bool print_attributes(struct ike_printer *p, struct ipsp_span rest, enum ike_list list)
{
	struct ike_attribute a;
	enum ike_step step;
	char buf[IKE_NAME_TEXT];

	while ((step = ike_attribute_next(&rest, &a, &p->fault)) == IKE_STEP_ITEM) {
		if (a.is_short)
			ike_print(p, a.whole, "ATTR: %s - %u",
				  ike_name_or_number(list, a.type, buf), ike_number(a.value));
		else
			ike_print(p, a.whole, "ATTR: %s (%zu octets)",
				  ike_name_or_number(list, a.type, buf), a.value.len);
	}
	return step == IKE_STEP_END;
}

static bool print_transform(struct ike_printer *p, const struct ike_transform *t)
{
	static const struct ike_field head[] = {
		{ "Last Substruc", 1, IKE_LIST_NONE }, { "Reserved", 1, IKE_LIST_NONE },
		{ "Length", 2, IKE_LIST_NONE }, { "Transform Type", 1, IKE_LIST_TRANSFORM_TYPE },
		{ "Reserved", 1, IKE_LIST_NONE },
	};
	struct ipsp_span rest = t->whole, id;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)) || !ike_take(&rest, 2, &id))
		return false;
	ike_print_number(p, id, "Transform ID", ike_transform_list(t->type));
	return print_attributes(p, rest, IKE_LIST_TRANSFORM_ATTRIBUTE);
}

static bool print_transforms(struct ike_printer *p, const struct ike_proposal *proposal)
{
	struct ipsp_span rest = proposal->transforms;
	struct ike_transform t;
	enum ike_step step;
	unsigned n = 0;

	while ((step = ike_transform_next(&rest, &t, &p->fault)) == IKE_STEP_ITEM) {
		ike_print_title(p, "Transform");
		p->depth++;
		if (!print_transform(p, &t))
			return false;
		p->depth--;
		n++;
	}
	if (step == IKE_STEP_END && n != proposal->n_transforms)
		return ike_printer_broken(p, "a proposal has not as many transforms as it says",
					  proposal->whole.data + 7);
	return step == IKE_STEP_END;
}

static bool print_sa(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Last Substruc", 1, IKE_LIST_NONE }, { "Reserved", 1, IKE_LIST_NONE },
		{ "Length", 2, IKE_LIST_NONE }, { "Proposal Number", 1, IKE_LIST_NONE },
		{ "Protocol ID", 1, IKE_LIST_PROTOCOL }, { "SPI Size", 1, IKE_LIST_NONE },
		{ "Transforms", 1, IKE_LIST_NONE },
	};
	struct ike_proposal proposal;
	enum ike_step step;

	while ((step = ike_proposal_next(&rest, &proposal, &p->fault)) == IKE_STEP_ITEM) {
		struct ipsp_span fixed = proposal.whole;

		ike_print_title(p, "Proposal %u", proposal.number);
		p->depth++;
		if (!ike_print_fields(p, &fixed, head, IKE_N_OF(head)))
			return false;
		ike_print(p, proposal.spi, "SPI");
		if (!print_transforms(p, &proposal))
			return false;
		p->depth--;
	}
	return step == IKE_STEP_END;
}

/* ---- traffic selectors, RFC 7296 3.13 ---- */

static bool print_ts(struct ike_printer *p, const struct ike_ts *ts)
{
	static const struct ike_field head[] = {
		{ "TS Type", 1, IKE_LIST_TS_TYPE }, { "IP Protocol", 1, IKE_LIST_NONE },
		{ "Length", 2, IKE_LIST_NONE }, { "Start Port", 2, IKE_LIST_NONE },
		{ "End Port", 2, IKE_LIST_NONE },
	};
	struct ipsp_span rest = ts->whole;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_address(p, ts->addr_lo, "Starting Address");
	ike_print_address(p, ts->addr_hi, "Ending Address");
	return true;
}

static bool print_selectors(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Traffic Selectors", 1, IKE_LIST_NONE }, { "Reserved", 3, IKE_LIST_NONE },
	};
	struct ike_ts ts;
	enum ike_step step;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	while ((step = ike_ts_next(&rest, &ts, &p->fault)) == IKE_STEP_ITEM) {
		ike_print_title(p, "Traffic Selector");
		p->depth++;
		if (!print_ts(p, &ts))
			return false;
		p->depth--;
	}
	return step == IKE_STEP_END;
}

/* ---- notifications, RFC 7296 3.10 ---- */

static bool print_u16_list(struct ike_printer *p, struct ipsp_span rest, enum ike_list list)
{
	struct ipsp_span number;

	while (ike_take(&rest, 2, &number))
		ike_print_number(p, number, "Number", list);
	ike_print_rest(p, rest, "Octets");
	return true;
}

static bool print_ipcomp(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field fields[] = {
		{ "CPI", 2, IKE_LIST_NONE }, { "Transform ID", 1, IKE_LIST_IPCOMP },
	};

	return ike_print_fields(p, &rest, fields, IKE_N_OF(fields));
}

static bool print_notify_data(struct ike_printer *p, uint16_t type, struct ipsp_span data)
{
	switch (type) {
	case IKE_N_INVALID_KE_PAYLOAD:
	case IKE_N_ADDITIONAL_KEY_EXCHANGE:
		return print_u16_list(p, data, IKE_LIST_KE);
	case IKE_N_SIGNATURE_HASH_ALGORITHMS:
		return print_u16_list(p, data, IKE_LIST_SIGNATURE_HASH);
	case IKE_N_IPCOMP_SUPPORTED:
		return print_ipcomp(p, data);
	case IKE_N_SET_WINDOW_SIZE:
	case IKE_N_AUTH_LIFETIME:
		ike_print_number(p, data, "Number", IKE_LIST_NONE);
		return true;
	case IKE_N_ADDITIONAL_IP4_ADDRESS:
	case IKE_N_ADDITIONAL_IP6_ADDRESS:
		ike_print_address(p, data, "Address");
		return true;
	case IKE_N_UNSUPPORTED_CRITICAL_PAYLOAD:
		ike_print_number(p, data, "Payload", IKE_LIST_PAYLOAD);
		return true;
	default:
		ike_print_rest(p, data, "Notification Data");
		return true;
	}
}

static bool print_notify(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Protocol ID", 1, IKE_LIST_PROTOCOL }, { "SPI Size", 1, IKE_LIST_NONE },
		{ "Message Type", 2, IKE_LIST_NOTIFY },
	};
	const struct ipsp_span whole = rest;
	struct ipsp_span spi;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	if (!ike_take(&rest, whole.data[1], &spi))
		return ike_printer_broken(p, "an SPI is longer than its notification", rest.data);
	ike_print(p, spi, "SPI");
	return print_notify_data(p, be16dec(whole.data + 2), rest);
}

/* ---- the others ---- */

static bool print_ke(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Key Exchange Method", 2, IKE_LIST_KE }, { "Reserved", 2, IKE_LIST_NONE },
	};

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_rest(p, rest, "Key Exchange Data");
	return true;
}

bool ike_print_cert(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = { { "Cert Encoding", 1, IKE_LIST_CERT_ENCODING } };

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_rest(p, rest, "Certificate Data");
	return true;
}

static bool print_auth(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Auth Method", 1, IKE_LIST_AUTH_METHOD }, { "Reserved", 3, IKE_LIST_NONE },
	};

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_rest(p, rest, "Authentication Data");
	return true;
}

static bool print_delete(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Protocol ID", 1, IKE_LIST_PROTOCOL }, { "SPI Size", 1, IKE_LIST_NONE },
		{ "SPIs", 2, IKE_LIST_NONE },
	};
	const struct ipsp_span whole = rest;
	struct ipsp_span spi;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	while (whole.data[1] > 0 && ike_take(&rest, whole.data[1], &spi))
		ike_print(p, spi, "SPI");
	ike_print_rest(p, rest, "Octets");
	return true;
}

static bool print_configuration(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "CFG Type", 1, IKE_LIST_CFG_TYPE }, { "Reserved", 3, IKE_LIST_NONE },
	};
	static const struct ike_field attribute[] = {
		{ "Attribute Type", 2, IKE_LIST_CFG_ATTRIBUTE }, { "Length", 2, IKE_LIST_NONE },
	};
	struct ipsp_span value;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	while (rest.len > 0) {
		const uint8_t *const at = rest.data;

		if (!ike_print_fields(p, &rest, attribute, IKE_N_OF(attribute)))
			return false;
		if (!ike_take(&rest, be16dec(at + 2), &value))
			return ike_printer_broken(p, "an attribute's length does not fit", at);
		ike_print_address(p, value, "Value");
	}
	return true;
}

static bool print_eap(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Code", 1, IKE_LIST_EAP_CODE }, { "Identifier", 1, IKE_LIST_NONE },
		{ "Length", 2, IKE_LIST_NONE },
	};

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_rest(p, rest, "EAP Data");
	return true;
}

static bool print_fragment(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Fragment Number", 2, IKE_LIST_NONE }, { "Total Fragments", 2, IKE_LIST_NONE },
	};

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_rest(p, rest, "IV, Encrypted, ICV");
	return true;
}

static bool print_sealed_octets(struct ike_printer *p, struct ipsp_span rest)
{
	ike_print_rest(p, rest, "IV, Encrypted, ICV");
	return true;
}

static bool print_v2_id(struct ike_printer *p, struct ipsp_span rest)
{
	return ike_print_id(p, rest, false);
}

bool ike_print_v2_body(struct ike_printer *p, const struct ike_payload *payload)
{
	static bool (*const bodies[])(struct ike_printer *p, struct ipsp_span body) = {
		[IKE_PAYLOAD_SA] = print_sa, [IKE_PAYLOAD_KE] = print_ke,
		[IKE_PAYLOAD_IDi] = print_v2_id, [IKE_PAYLOAD_IDr] = print_v2_id,
		[IKE_PAYLOAD_CERT] = ike_print_cert, [IKE_PAYLOAD_CERTREQ] = ike_print_cert,
		[IKE_PAYLOAD_AUTH] = print_auth, [IKE_PAYLOAD_N] = print_notify,
		[IKE_PAYLOAD_D] = print_delete, [IKE_PAYLOAD_TSi] = print_selectors,
		[IKE_PAYLOAD_TSr] = print_selectors, [IKE_PAYLOAD_SK] = print_sealed_octets,
		[IKE_PAYLOAD_CP] = print_configuration, [IKE_PAYLOAD_EAP] = print_eap,
		[IKE_PAYLOAD_SKF] = print_fragment,
	};

	if (payload->type < IKE_N_OF(bodies) && bodies[payload->type])
		return bodies[payload->type](p, payload->body);
	ike_print_rest(p, payload->body, "Data");
	return true;
}
