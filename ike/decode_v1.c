/*
 * ike/decode_v1.c - bodies of IKEv1's payloads, a field a line. RFC 2408 3.4 to 3.16; RFC 2407 4.5, 4.6;
 * RFC 2409 appendix A; RFC 3947; draft-dukes-ike-mode-cfg and draft-beaulieu-ike-xauth.
 */
#include <stdio.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/printer.h"

enum { PROTOCOL_ISAKMP = 1, PROTOCOL_AH = 2, PROTOCOL_ESP = 3, PROTOCOL_IPCOMP = 4 };

/* ---- SA, RFC 2408 3.4 to 3.6 ---- */

static enum ike_list transform_list(uint8_t protocol)
{
	static const enum ike_list lists[] = {
		[PROTOCOL_ISAKMP] = IKE_LIST_V1_ISAKMP, [PROTOCOL_AH] = IKE_LIST_V1_AH,
		[PROTOCOL_ESP] = IKE_LIST_V1_ESP, [PROTOCOL_IPCOMP] = IKE_LIST_IPCOMP,
	};

	return protocol < IKE_N_OF(lists) ? lists[protocol] : IKE_LIST_NONE;
}

/* RFC 2409 appendix A, RFC 2407 4.5: an attribute's values, if they are numbers of a registry. */
static enum ike_list value_list(uint8_t protocol, uint16_t type)
{
	static const enum ike_list of_isakmp[] = {
		[IKE_V1_ATTRIBUTE_Encryption] = IKE_LIST_V1_ENCR,
		[IKE_V1_ATTRIBUTE_Hash] = IKE_LIST_V1_HASH,
		[IKE_V1_ATTRIBUTE_Authentication] = IKE_LIST_V1_AUTH,
		[IKE_V1_ATTRIBUTE_Group] = IKE_LIST_KE,
		[IKE_V1_ATTRIBUTE_Group_Type] = IKE_LIST_V1_GROUP_TYPE,
		[IKE_V1_ATTRIBUTE_Life_Type] = IKE_LIST_V1_LIFE_TYPE,
	};
	static const enum ike_list of_ipsec[] = {
		[IKE_V1_IPSEC_Life_Type] = IKE_LIST_V1_LIFE_TYPE,
		[IKE_V1_IPSEC_Group] = IKE_LIST_KE,
		[IKE_V1_IPSEC_Encapsulation_Mode] = IKE_LIST_V1_MODE,
		[IKE_V1_IPSEC_Authentication] = IKE_LIST_V1_IPSEC_AUTH,
		[IKE_V1_IPSEC_ECN_Tunnel] = IKE_LIST_V1_ECN_TUNNEL,
		[IKE_V1_IPSEC_ESN] = IKE_LIST_V1_ESN,
	};

	if (protocol == PROTOCOL_ISAKMP)
		return type < IKE_N_OF(of_isakmp) ? of_isakmp[type] : IKE_LIST_NONE;
	return type < IKE_N_OF(of_ipsec) ? of_ipsec[type] : IKE_LIST_NONE;
}

/* The registry's names are C names; for people they have blanks. */
static void attribute_name(uint8_t protocol, uint16_t type, char name[IKE_NAME_TEXT])
{
	const enum ike_list list = protocol == PROTOCOL_ISAKMP ? IKE_LIST_V1_ATTRIBUTE :
								 IKE_LIST_V1_IPSEC_ATTRIBUTE;
	char buf[IKE_NAME_TEXT];

	snprintf(name, IKE_NAME_TEXT, "%s", ike_name_or_number(list, type, buf));
	for (char *c = strchr(name, '_'); c; c = strchr(c, '_'))
		*c = ' ';
}

static void print_attribute(struct ike_printer *p, uint8_t protocol, const struct ike_attribute *a)
{
	const uint32_t value = ike_number(a->value);
	const char *known = ike_name(value_list(protocol, a->type), value);
	char name[IKE_NAME_TEXT];

	attribute_name(protocol, a->type, name);
	if (a->value.len > sizeof(value))
		ike_print(p, a->whole, "ATTR: %s (%zu octets)", name, a->value.len);
	else if (known)
		ike_print(p, a->whole, "ATTR: %s - %u (%s)", name, value, known);
	else
		ike_print(p, a->whole, "ATTR: %s - %u", name, value);
}

static bool print_transform(struct ike_printer *p, uint8_t protocol, const struct ike_transform *t)
{
	static const struct ike_field head[] = {
		{ "Next Payload", 1, IKE_LIST_V1_PAYLOAD }, { "Reserved", 1, IKE_LIST_NONE },
		{ "Length", 2, IKE_LIST_NONE }, { "Transform Number", 1, IKE_LIST_NONE },
	};
	struct ipsp_span rest = t->whole, id, reserved;
	struct ike_attribute a;
	enum ike_step step;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)) || !ike_take(&rest, 1, &id) ||
	    !ike_take(&rest, 2, &reserved))
		return false;
	ike_print_number(p, id, "Transform ID", transform_list(protocol));
	ike_print(p, reserved, "Reserved");
	while ((step = ike_attribute_next(&rest, &a, &p->fault)) == IKE_STEP_ITEM)
		print_attribute(p, protocol, &a);
	return step == IKE_STEP_END;
}

static bool print_transforms(struct ike_printer *p, const struct ike_proposal *proposal)
{
	struct ipsp_span rest = proposal->transforms;
	struct ike_transform t;
	enum ike_step step;

	while ((step = ike_transform_next(&rest, &t, &p->fault)) == IKE_STEP_ITEM) {
		ike_print_title(p, "Transform");
		p->depth++;
		if (!print_transform(p, proposal->protocol, &t))
			return false;
		p->depth--;
	}
	return step == IKE_STEP_END;
}

static bool print_sa(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field sa[] = {
		{ "DOI", 4, IKE_LIST_V1_DOI }, { "Situation", 4, IKE_LIST_NONE },
	};
	static const struct ike_field head[] = {
		{ "Next Payload", 1, IKE_LIST_V1_PAYLOAD }, { "Reserved", 1, IKE_LIST_NONE },
		{ "Length", 2, IKE_LIST_NONE }, { "Proposal Number", 1, IKE_LIST_NONE },
		{ "Protocol ID", 1, IKE_LIST_V1_PROTOCOL }, { "SPI Size", 1, IKE_LIST_NONE },
		{ "Transforms", 1, IKE_LIST_NONE },
	};
	struct ike_proposal proposal;
	enum ike_step step;

	if (!ike_print_fields(p, &rest, sa, IKE_N_OF(sa)))
		return false;
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

/* ---- the others ---- */

static bool print_notify(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "DOI", 4, IKE_LIST_V1_DOI }, { "Protocol ID", 1, IKE_LIST_V1_PROTOCOL },
		{ "SPI Size", 1, IKE_LIST_NONE }, { "Message Type", 2, IKE_LIST_V1_NOTIFY },
	};
	const struct ipsp_span whole = rest;
	struct ipsp_span spi;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	if (!ike_take(&rest, whole.data[5], &spi))
		return ike_printer_broken(p, "an SPI is longer than its notification", rest.data);
	ike_print(p, spi, "SPI");
	ike_print_rest(p, rest, "Notification Data");
	return true;
}

static bool print_delete(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "DOI", 4, IKE_LIST_V1_DOI }, { "Protocol ID", 1, IKE_LIST_V1_PROTOCOL },
		{ "SPI Size", 1, IKE_LIST_NONE }, { "SPIs", 2, IKE_LIST_NONE },
	};
	const struct ipsp_span whole = rest;
	struct ipsp_span spi;

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	while (whole.data[5] > 0 && ike_take(&rest, whole.data[5], &spi))
		ike_print(p, spi, "SPI");
	ike_print_rest(p, rest, "Octets");
	return true;
}

/* RFC 2407 4.6.2. */
static bool print_v1_id(struct ike_printer *p, struct ipsp_span rest)
{
	return ike_print_id(p, rest, true);
}

/* A Transaction's: who asks gives no values. Which of them are addresses, their lengths say. */
static bool print_configuration(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "CFG Type", 1, IKE_LIST_CFG_TYPE }, { "Reserved", 1, IKE_LIST_NONE },
		{ "Identifier", 2, IKE_LIST_NONE },
	};
	struct ike_attribute a;
	enum ike_step step;
	char buf[IKE_NAME_TEXT];

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	while ((step = ike_attribute_next(&rest, &a, &p->fault)) == IKE_STEP_ITEM) {
		const char *const name = ike_name_or_number(IKE_LIST_V1_CFG_ATTRIBUTE, a.type, buf);

		if (a.is_short) {
			ike_print(p, a.whole, "ATTR: %s - %u", name, ike_number(a.value));
			continue;
		}
		ike_print(p, (struct ipsp_span){ a.whole.data, 4 }, "ATTR: %s (%zu octets)", name,
			  a.value.len);
		if (p->decoder->hides_proofs && a.type >= IKE_V1_CFG_XAUTH_USER_PASSWORD &&
		    a.type <= IKE_V1_CFG_XAUTH_ANSWER)
			ike_print_title(p, "Value: not shown");
		else
			ike_print_address(p, a.value, "Value");
	}
	return step == IKE_STEP_END;
}

/* A piece of a message, as Cisco and Microsoft began it. */
static bool print_fragment(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "Fragment ID", 2, IKE_LIST_NONE }, { "Fragment Number", 1, IKE_LIST_NONE },
		{ "Last Fragment", 1, IKE_LIST_NONE },
	};

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_rest(p, rest, "Fragment Data");
	return true;
}

/* RFC 3947 5.2: an original address. */
static bool print_nat_oa(struct ike_printer *p, struct ipsp_span rest)
{
	static const struct ike_field head[] = {
		{ "ID Type", 1, IKE_LIST_ID_TYPE }, { "Reserved", 3, IKE_LIST_NONE },
	};

	if (!ike_print_fields(p, &rest, head, IKE_N_OF(head)))
		return false;
	ike_print_address(p, rest, "Address");
	return true;
}

/* Hashes of names that people know. */
static bool print_vendor(struct ike_printer *p, struct ipsp_span body)
{
	static const struct {
		const char *octets, *name;
		uint8_t len;
	} known[] = {
		{ "\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57", "Dead Peer Detection", 14 },
		{ "\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f",
		  "NAT traversal, RFC 3947", 16 },
		{ "\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f",
		  "NAT traversal, draft 2", 16 },
		{ "\x09\x00\x26\x89\xdf\xd6\xb7\x12", "XAUTH", 8 },
		{ "\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3",
		  "Fragmentation", 16 },
		{ "\x88\x2f\xe5\x6d\x6f\xd2\x0d\xbc\x22\x51\x61\x3b\x2e\xbe\x5b\xeb", "strongSwan", 16 },
	};

	for (size_t i = 0; i < IKE_N_OF(known); i++) {
		if (body.len < known[i].len || memcmp(body.data, known[i].octets, known[i].len))
			continue;
		ike_print(p, body, "Vendor ID: %s", known[i].name);
		return true;
	}
	ike_print_rest(p, body, "Vendor ID");
	return true;
}

bool ike_print_id(struct ike_printer *p, struct ipsp_span rest, bool v1)
{
	static const struct ike_field of_v2[] = {
		{ "ID Type", 1, IKE_LIST_ID_TYPE }, { "Reserved", 3, IKE_LIST_NONE },
	};
	static const struct ike_field of_v1[] = {
		{ "ID Type", 1, IKE_LIST_ID_TYPE }, { "Protocol ID", 1, IKE_LIST_NONE },
		{ "Port", 2, IKE_LIST_NONE },
	};
	const struct ipsp_span whole = rest;
	struct ipsp_span first;

	if (!ike_print_fields(p, &rest, v1 ? of_v1 : of_v2,
			      v1 ? IKE_N_OF(of_v1) : IKE_N_OF(of_v2)))
		return false;
	switch (whole.data[0]) {
	case IKE_ID_IPV4_ADDR:
	case IKE_ID_IPV6_ADDR:
		ike_print_address(p, rest, "Identification");
		return true;
	case IKE_ID_IPV4_ADDR_SUBNET:
	case IKE_ID_IPV6_ADDR_SUBNET:
	case IKE_ID_IPV4_ADDR_RANGE:
	case IKE_ID_IPV6_ADDR_RANGE:
		if (ike_take(&rest, rest.len / 2, &first)) {
			ike_print_address(p, first, "Identification");
			ike_print_address(p, rest, "Mask or end");
		}
		return true;
	default:
		ike_print_rest(p, rest, "Identification");
		return true;
	}
}

bool ike_print_v1_body(struct ike_printer *p, const struct ike_payload *payload)
{
	static bool (*const bodies[])(struct ike_printer *p, struct ipsp_span body) = {
		[IKE_V1_PAYLOAD_SA] = print_sa, [IKE_V1_PAYLOAD_ID] = print_v1_id,
		[IKE_V1_PAYLOAD_CERT] = ike_print_cert, [IKE_V1_PAYLOAD_CR] = ike_print_cert,
		[IKE_V1_PAYLOAD_N] = print_notify, [IKE_V1_PAYLOAD_D] = print_delete,
		[IKE_V1_PAYLOAD_VID] = print_vendor, [IKE_V1_PAYLOAD_NAT_OA] = print_nat_oa,
		[IKE_V1_PAYLOAD_NAT_OA_DRAFT] = print_nat_oa,
		[IKE_V1_PAYLOAD_ATTRIBUTES] = print_configuration,
		[IKE_V1_PAYLOAD_FRAGMENT] = print_fragment,
	};
	static const char *const names[] = {
		[IKE_V1_PAYLOAD_KE] = "Key Exchange Data", [IKE_V1_PAYLOAD_HASH] = "Hash Data",
		[IKE_V1_PAYLOAD_SIG] = "Signature Data", [IKE_V1_PAYLOAD_NONCE] = "Nonce Data",
		[IKE_V1_PAYLOAD_NAT_D] = "Hash of an address and port",
		[IKE_V1_PAYLOAD_NAT_D_DRAFT] = "Hash of an address and port",
	};
	const uint8_t type = payload->type;

	if (type < IKE_N_OF(bodies) && bodies[type])
		return bodies[type](p, payload->body);
	ike_print_rest(p, payload->body, type < IKE_N_OF(names) && names[type] ? names[type] :
									       "Data");
	return true;
}
