/*
 * tests/unit/agentx/check_pdu.c - the AgentX codec against RFC 2741's printed examples and against
 * PDUs made by Net-SNMP (vectors.h).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentx/pdu.h"
#include "tests/unit/agentx/vectors.h"

#define N_VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static const uint32_t scalar[] = { 1, 3, 6, 1, 2, 1, 153, 1, 1, 0 };
static const uint32_t playpen[] = { 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4807 };
static const uint32_t if_row[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 7 };
static const uint32_t plain[] = { 1, 2, 3, 4 };
static const uint32_t after_spd[] = { 1, 3, 6, 1, 2, 1, 154 };

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint8_t *unhex(const char *hex, size_t *len)
{
	uint8_t *out = malloc(strlen(hex) / 2 + 1);

	ck_assert_ptr_nonnull(out);
	*len = strlen(hex) / 2;
	for (size_t i = 0; i < *len; i++) {
		unsigned octet;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &octet), 1);
		out[i] = (uint8_t)octet;
	}
	return out;
}

static const struct vector *vector(const char *name)
{
	for (size_t i = 0; i < N_VECTORS; i++)
		if (strcmp(vectors[i].name, name) == 0)
			return &vectors[i];
	ck_abort_msg("no vector %s", name);
}

/** A vector in the wanted byte order, parsed. The octets are to be freed. */
static uint8_t *parse_vector(const char *name, bool little, struct ax_pdu *p)
{
	char full[64];
	struct ax_header h;
	size_t len;

	snprintf(full, sizeof(full), "%s%s", name, little ? ", little endian" : "");

	uint8_t *octets = unhex(vector(full)->hex, &len);

	ck_assert_int_eq(ax_frame_next(octets, len, &h), AX_FRAME_PDU);
	ck_assert(ax_pdu_parse(&h, octets + AX_HEADER_SIZE, p));
	ck_assert_uint_eq(h.session_id, 0x11223344);
	ck_assert_uint_eq(h.transaction_id, 0x55667788);
	ck_assert_uint_eq(h.packet_id, 0x1a2b3c4d);
	return octets;
}

static void assert_oid(const struct mib_oid *o, const uint32_t *ids, size_t len)
{
	ck_assert_uint_eq(o->len, len);
	ck_assert_mem_eq(o->ids, ids, len * sizeof(*ids));
}

static void assert_text(struct ax_span s, const char *text)
{
	ck_assert_uint_eq(s.len, strlen(text));
	ck_assert_mem_eq(s.data, text, s.len);
}

/* ---- decoding ---- */

START_TEST(test_open_close_and_regions_are_read)
{
	struct ax_pdu p;

	free(parse_vector("Open", _i, &p));
	ck_assert_uint_eq(p.open.timeout_s, 5);
	assert_oid(&p.open.id, playpen, LEN(playpen));
	free(parse_vector("Close", _i, &p));
	ck_assert_uint_eq(p.close.reason, AX_REASON_SHUTDOWN);
	free(parse_vector("Register", _i, &p));
	ck_assert_uint_eq(p.region.timeout_s, 3);
	ck_assert_uint_eq(p.region.priority, 127);
	ck_assert_uint_eq(p.region.range_subid, 10);
	ck_assert_uint_eq(p.region.upper_bound, 22);
	assert_oid(&p.region.subtree, if_row, LEN(if_row));
	free(parse_vector("Unregister", _i, &p));
	ck_assert_uint_eq(p.region.range_subid, 0);
	assert_oid(&p.region.subtree, after_spd, LEN(after_spd));
}
END_TEST

START_TEST(test_octet_strings_and_contexts_are_borrowed_from_the_pdu)
{
	struct ax_pdu p;
	uint8_t *octets = parse_vector("Open", _i, &p);

	assert_text(p.open.descr, "ipspd");
	free(octets);
	octets = parse_vector("Unregister", _i, &p);
	ck_assert(p.has_context);
	assert_text(p.context, "blue");
	free(octets);
	octets = parse_vector("Ping", _i, &p);
	ck_assert(p.has_context);
	assert_text(p.context, "x");
	free(octets);
	octets = parse_vector("AddAgentCaps", _i, &p);
	ck_assert(!p.has_context);
	assert_oid(&p.caps.id, playpen, LEN(playpen));
	assert_text(p.caps.descr, "caps");
	free(octets);
}
END_TEST

START_TEST(test_search_ranges_are_read_with_include_and_end)
{
	struct ax_pdu p;
	struct ax_reader r;
	struct ax_range range;
	uint8_t *octets = parse_vector("GetBulk", _i, &p);

	ck_assert_uint_eq(p.bulk.non_repeaters, 1);
	ck_assert_uint_eq(p.bulk.max_repetitions, 500);
	ck_assert_uint_eq(p.n_items, 2);
	assert_text(p.context, "engine");
	ax_pdu_list(&p, &r);
	ck_assert(ax_read_range(&r, &range));
	assert_oid(&range.start, scalar, LEN(scalar));
	ck_assert(range.include);
	assert_oid(&range.end, after_spd, LEN(after_spd));
	ck_assert(ax_read_range(&r, &range));
	assert_oid(&range.start, plain, LEN(plain));
	ck_assert(!range.include);
	ck_assert_uint_eq(range.end.len, 0);
	ck_assert(!ax_reader_more(&r));
	free(octets);
}
END_TEST

START_TEST(test_every_value_type_is_read)
{
	static const uint16_t types[] = {
		AX_INTEGER, AX_OCTET_STRING, AX_OCTET_STRING, AX_NULL, AX_OBJECT_IDENTIFIER,
		AX_IP_ADDRESS, AX_COUNTER32, AX_GAUGE32, AX_TIME_TICKS, AX_OPAQUE, AX_COUNTER64,
	};
	struct ax_pdu p;
	struct ax_reader r;
	struct ax_varbind vb;
	uint8_t *octets = parse_vector("TestSet", _i, &p);

	ck_assert_uint_eq(p.n_items, LEN(types));
	ax_pdu_list(&p, &r);
	for (size_t i = 0; i < LEN(types); i++) {
		ck_assert(ax_read_varbind(&r, &vb));
		ck_assert_uint_eq(vb.type, types[i]);
		assert_oid(&vb.name, scalar, LEN(scalar));
		switch (i) {
		case 0:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_INTEGER);
			ck_assert_int_eq(vb.value.number, -2);
			break;
		case 1:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_OCTETS);
			ck_assert_uint_eq(vb.value.octets.len, 5);
			ck_assert_mem_eq(vb.value.octets.data, "wan-1", 5);
			break;
		case 2:
			ck_assert_uint_eq(vb.value.octets.len, 0);
			break;
		case 4:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_OID);
			ck_assert_uint_eq(vb.value.oid.len, LEN(playpen));
			ck_assert_mem_eq(vb.value.oid.ids, playpen, sizeof(playpen));
			break;
		case 5:
			ck_assert_uint_eq(vb.value.octets.len, 4);
			ck_assert_mem_eq(vb.value.octets.data, "\300\0\2\1", 4);
			break;
		case 6:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_COUNTER32);
			ck_assert_int_eq(vb.value.number, 7);
			break;
		case 7:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_UNSIGNED);
			ck_assert_int_eq(vb.value.number, 4000000000);
			break;
		case 8:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_TIMETICKS);
			ck_assert_int_eq(vb.value.number, 123456);
			break;
		case 9:
			ck_assert_uint_eq(vb.value.octets.len, 3);
			break;
		case 10:
			ck_assert_int_eq(vb.value.syntax, MIB_SYN_COUNTER64);
			ck_assert_uint_eq(vb.value.counter64, 0x0102030405060708);
			break;
		}
	}
	free(octets);
}
END_TEST

START_TEST(test_responses_are_read)
{
	struct ax_pdu p;

	free(parse_vector("Response", _i, &p));
	ck_assert_uint_eq(p.response.uptime_cs, 987654);
	ck_assert_uint_eq(p.response.error, 0);
	ck_assert_uint_eq(p.n_items, 9);
	free(parse_vector("Response with an error", _i, &p));
	ck_assert_uint_eq(p.response.error, 10);
	ck_assert_uint_eq(p.response.index, 258);
}
END_TEST

START_TEST(test_a_frame_is_not_complete_before_its_last_octet)
{
	struct ax_header h;
	size_t len;
	uint8_t *octets = unhex(vectors[_i].hex, &len);

	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(ax_frame_next(octets, i, &h), AX_FRAME_MORE);
	ck_assert_int_eq(ax_frame_next(octets, len, &h), AX_FRAME_PDU);
	ck_assert_uint_eq(h.payload_len, len - AX_HEADER_SIZE);
	free(octets);
}
END_TEST

START_TEST(test_a_frame_of_wrong_version_or_length_is_lost)
{
	static const struct {
		const char *name;
		const char *hex;
	} cases[] = {
		{ "version 2", "02" },
		{ "length no multiple of four", "010d100000000000000000000000000000000003" },
		{ "length over the limit", "010d100000000000000000000000000000100000" },
		{ "length of 32 bits", "010d1000000000000000000000000000fffffffc" },
	};
	struct ax_header h;
	size_t len;

	for (size_t i = 0; i < LEN(cases); i++) {
		uint8_t *octets = unhex(cases[i].hex, &len);

		ck_assert_msg(ax_frame_next(octets, len, &h) == AX_FRAME_LOST, "%s", cases[i].name);
		free(octets);
	}
}
END_TEST

/** Payloads that RFC 2741 7.1 step 2 calls unparsable; header type and flags, then the payload. */
static const struct {
	const char *name;
	uint8_t type;
	uint8_t flags;
	const char *payload;
} malformed[] = {
	{ "type 0", 0, 0x10, "" },
	{ "type 19", 19, 0x10, "" },
	{ "type 255", 255, 0x10, "" },
	{ "Get with an OID header cut off", AX_GET, 0x10, "0105" },
	{ "Get with fewer sub-identifiers than said", AX_GET, 0x10, "0200000000000001" },
	{ "Get without an end", AX_GET, 0x10, "0100000000000001" },
	{ "Get with include 2", AX_GET, 0x10, "010002000000000100000000" },
	{ "Get with an end cut off", AX_GET, 0x10, "010000000000000102000000" },
	{ "GetBulk without its fields", AX_GET_BULK, 0x10, "" },
	{ "TestSet with v.type 3", AX_TEST_SET, 0x10, "00030000010000000000000100000000" },
	{ "TestSet with v.type 69", AX_TEST_SET, 0x10, "00450000010000000000000100000000" },
	{ "TestSet without the integer", AX_TEST_SET, 0x10, "000200000100000000000001" },
	{ "TestSet with half a Counter64", AX_TEST_SET, 0x10, "00460000010000000000000100000000" },
	{ "TestSet with a string too short", AX_TEST_SET, 0x10,
	  "000400000100000000000001000000056970737064" },
	{ "TestSet with a string length of 32 bits", AX_TEST_SET, 0x10,
	  "000400000100000000000001ffffffff69707370" },
	{ "TestSet with an OID value cut off", AX_TEST_SET, 0x10,
	  "00060000010000000000000102000000000000ff" },
	{ "context said but absent", AX_GET, 0x18, "" },
	{ "context longer than the PDU", AX_PING, 0x18, "00000009616263640000" },
	{ "CommitSet with a payload", AX_COMMIT_SET, 0x10, "00000000" },
	{ "Ping with octets over", AX_PING, 0x10, "00000000" },
	{ "Close with octets over", AX_CLOSE, 0x10, "0500000000000000" },
	{ "Open without a description", AX_OPEN, 0x10, "0500000000000000" },
	{ "Register with a range beyond its subtree", AX_REGISTER, 0x10,
	  "007f030001000000000000010000000a" },
	{ "Register without its upper bound", AX_REGISTER, 0x10, "007f01000100000000000001" },
	{ "Response cut off", AX_RESPONSE, 0x10, "00000000" },
	{ "Response with half a VarBind", AX_RESPONSE, 0x10, "000000000000000000820000" },
	{ "TestSet with reserved octets only", AX_TEST_SET, 0x10, "00000000" },
};

START_TEST(test_malformed_payloads_are_parse_errors)
{
	struct ax_header h = { AX_VERSION, malformed[_i].type, malformed[_i].flags, 1, 2, 3, 0 };
	struct ax_pdu p;
	size_t len;
	uint8_t *octets = unhex(malformed[_i].payload, &len);

	h.payload_len = (uint32_t)len;
	ck_assert_msg(!ax_pdu_parse(&h, octets, &p), "%s was taken", malformed[_i].name);
	free(octets);
}
END_TEST

START_TEST(test_oids_over_128_sub_identifiers_are_parse_errors)
{
	static const struct {
		uint8_t n, prefix;
		bool good;
	} cases[] = { { 128, 0, true }, { 129, 0, false }, { 123, 2, true }, { 124, 2, false },
		      { 255, 255, false } };
	uint8_t octets[4 + 4 * 255 + 4] = { 0 };
	struct ax_reader r;
	struct ax_range range;

	for (size_t i = 0; i < LEN(cases); i++) {
		octets[0] = cases[i].n;
		octets[1] = cases[i].prefix;
		ax_reader_init(&r, octets, 8 + 4 * (size_t)cases[i].n, true);
		ck_assert(ax_read_range(&r, &range) == cases[i].good);
	}
}
END_TEST

START_TEST(test_every_truncation_stays_inside_the_octets)
{
	struct ax_header h;
	struct ax_pdu p;
	size_t len;
	uint8_t *octets = unhex(vectors[_i].hex, &len);

	ck_assert_int_eq(ax_frame_next(octets, len, &h), AX_FRAME_PDU);
	for (size_t n = 0; n < len - AX_HEADER_SIZE; n++) {
		/* A copy of its own size, so that the sanitizer sees an octet too far. */
		uint8_t *cut = malloc(n ? n : 1);
		const bool is_list = h.type >= AX_GET && h.type <= AX_TEST_SET;

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, octets + AX_HEADER_SIZE, n);
		h.payload_len = (uint32_t)n;
		if (ax_pdu_parse(&h, cut, &p))
			ck_assert_msg(is_list || p.list.data, "%s cut to %zu", vectors[_i].name, n);
		free(cut);
	}
	free(octets);
}
END_TEST

/* ---- encoding ---- */

/** Writes what was parsed. */
static void write_back(struct ax_buf *b, const struct ax_pdu *p)
{
	char descr[64];
	struct ax_reader r;
	struct ax_range range;
	struct ax_varbind vb;
	const size_t start = ax_pdu_begin(b, &p->h, p->has_context ? &p->context : NULL);

	ax_pdu_list(p, &r);
	switch (p->h.type) {
	case AX_OPEN:
		snprintf(descr, sizeof(descr), "%.*s", (int)p->open.descr.len, p->open.descr.data);
		ax_put_open(b, p->open.timeout_s, &p->open.id, descr);
		break;
	case AX_CLOSE:
		ax_put_close(b, p->close.reason);
		break;
	case AX_REGISTER:
	case AX_UNREGISTER:
		ax_put_region(b, p->region.timeout_s, p->region.priority, p->region.subtree.ids,
			      p->region.subtree.len, p->region.range_subid, p->region.upper_bound);
		break;
	case AX_ADD_AGENT_CAPS:
		snprintf(descr, sizeof(descr), "%.*s", (int)p->caps.descr.len, p->caps.descr.data);
		ax_put_caps(b, &p->caps.id, descr);
		break;
	case AX_REMOVE_AGENT_CAPS:
		ax_put_caps(b, &p->caps.id, NULL);
		break;
	case AX_GET_BULK:
		ax_put_bulk(b, p->bulk.non_repeaters, p->bulk.max_repetitions);
		/* fall through */
	case AX_GET:
	case AX_GET_NEXT:
		while (ax_reader_more(&r)) {
			ck_assert(ax_read_range(&r, &range));
			ax_put_range(b, range.start.ids, range.start.len, range.include,
				     range.end.ids, range.end.len);
		}
		break;
	default:
		if (p->h.type == AX_RESPONSE)
			ax_put_response(b, p->response.uptime_cs, p->response.error,
					p->response.index);
		while (ax_reader_more(&r)) {
			ck_assert(ax_read_varbind(&r, &vb));
			ax_put_varbind(b, vb.type, vb.name.ids, vb.name.len, &vb.value);
		}
	}
	ck_assert(ax_pdu_end(b, start));
}

START_TEST(test_pdus_are_written_as_net_snmp_writes_them)
{
	struct ax_header h;
	struct ax_pdu p;
	struct ax_buf b;
	size_t len;
	uint8_t *octets = unhex(vectors[_i].hex, &len);

	ck_assert_int_eq(ax_frame_next(octets, len, &h), AX_FRAME_PDU);
	ck_assert(ax_pdu_parse(&h, octets + AX_HEADER_SIZE, &p));
	ax_buf_init(&b, AX_PDU_MAX);
	write_back(&b, &p);
	if (vectors[_i].include_at)
		octets[vectors[_i].include_at] = 0;
	ck_assert_uint_eq(b.len, len);
	ck_assert_msg(memcmp(b.data, octets, len) == 0, "%s", vectors[_i].name);
	ax_buf_fini(&b);
	free(octets);
}
END_TEST

START_TEST(test_rfc_2741_examples_are_written_as_printed)
{
	/* Section 5.1: sysDescr.0 and 1.2.3.4; 5.2: a SearchRange; 6.2.3: the row of ifTable. */
	static const uint32_t sys_descr[] = { 1, 3, 6, 1, 2, 1, 1, 1, 0 };
	static const uint32_t from[] = { 1, 3, 6, 1, 2, 1, 25, 2 };
	static const uint32_t to[] = { 1, 3, 6, 1, 2, 1, 25, 2, 1 };
	static const char expected[] =
		"0402000000000001000000010000000100000000"
		"0400000000000001000000020000000300000004"
		"03020100000000010000001900000002"
		"0402000000000001000000190000000200000001"
		"007f0a00"
		"06020000000000010000000200000002000000010000000100000007"
		"00000016";
	struct ax_buf b;
	size_t len;
	uint8_t *octets = unhex(expected, &len);

	ax_buf_init(&b, AX_PDU_MAX);
	ax_put_range(&b, sys_descr, LEN(sys_descr), false, plain, LEN(plain));
	ax_put_range(&b, from, LEN(from), true, to, LEN(to));
	ax_put_region(&b, 0, 127, if_row, LEN(if_row), 10, 22);
	ck_assert_uint_eq(b.len, len);
	ck_assert_mem_eq(b.data, octets, len);
	ax_buf_fini(&b);
	free(octets);
}
END_TEST

START_TEST(test_only_prefixes_of_one_octet_are_shortened)
{
	static const struct {
		uint32_t ids[6];
		size_t len;
		const char *hex;
	} cases[] = {
		{ { 1, 3, 6, 1, 0, 5 }, 6,
		  "060000000000000100000003000000060000000100000000" "00000005" "00000000" },
		{ { 1, 3, 6, 1, 256 }, 5, "0500000000000001000000030000000600000001" "00000100"
		  "00000000" },
		{ { 1, 3, 6, 1, 255 }, 5, "00ff0000" "00000000" },
		{ { 1, 3, 6, 1 }, 4, "0400000000000001000000030000000600000001" "00000000" },
		{ { 0 }, 0, "00000000" "00000000" },
	};
	struct ax_buf b;
	size_t len;

	for (size_t i = 0; i < LEN(cases); i++) {
		uint8_t *octets = unhex(cases[i].hex, &len);

		ax_buf_init(&b, AX_PDU_MAX);
		ax_put_range(&b, cases[i].ids, cases[i].len, false, NULL, 0);
		ck_assert_uint_eq(b.len, len);
		ck_assert_mem_eq(b.data, octets, len);
		ax_buf_fini(&b);
		free(octets);
	}
}
END_TEST

START_TEST(test_a_pdu_over_the_limit_is_cut_off_whole)
{
	const struct ax_header h = { AX_VERSION, AX_RESPONSE, AX_NETWORK_BYTE_ORDER, 1, 2, 3, 0 };
	const struct mib_value v = mib_value_octets("0123456789", 10);
	struct ax_buf b;

	ax_buf_init(&b, 90);

	size_t start = ax_pdu_begin(&b, &h, NULL);

	ax_put_response(&b, 0, 0, 0);
	ck_assert(ax_pdu_end(&b, start));

	const size_t good = b.len;

	start = ax_pdu_begin(&b, &h, NULL);
	ax_put_response(&b, 0, 0, 0);
	ax_put_varbind(&b, AX_OCTET_STRING, plain, LEN(plain), &v);
	ck_assert(b.bad);
	ck_assert(!ax_pdu_end(&b, start));
	ck_assert_uint_eq(b.len, good);
	ck_assert(!b.bad);
	ax_buf_fini(&b);
}
END_TEST

START_TEST(test_lists_of_thousands_are_read_and_too_long_ones_refused)
{
	const struct ax_header h = { AX_VERSION, AX_GET, AX_NETWORK_BYTE_ORDER, 1, 2, 3, 0 };
	struct ax_header got;
	struct ax_pdu p;
	struct ax_buf b;

	for (unsigned over = 0; over < 2; over++) {
		ax_buf_init(&b, AX_PDU_MAX);

		const size_t start = ax_pdu_begin(&b, &h, NULL);

		for (unsigned i = 0; i < AX_ITEMS_MAX + over; i++)
			ax_put_range(&b, NULL, 0, false, NULL, 0);
		ck_assert(ax_pdu_end(&b, start));
		ck_assert_int_eq(ax_frame_next(b.data, b.len, &got), AX_FRAME_PDU);
		ck_assert(ax_pdu_parse(&got, b.data + AX_HEADER_SIZE, &p) == (over == 0));
		ax_buf_fini(&b);
	}
}
END_TEST

START_TEST(test_names_are_those_of_the_rfc)
{
	ck_assert_str_eq(ax_type_name(AX_OPEN), "Open");
	ck_assert_str_eq(ax_type_name(AX_TEST_SET), "TestSet");
	ck_assert_str_eq(ax_type_name(AX_RESPONSE), "Response");
	ck_assert_str_eq(ax_type_name(0), "unknown");
	ck_assert_str_eq(ax_type_name(19), "unknown");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agentx/pdu");
	TCase *decode = tcase_create("decode");
	TCase *encode = tcase_create("encode");

	tcase_add_loop_test(decode, test_open_close_and_regions_are_read, 0, 2);
	tcase_add_loop_test(decode, test_octet_strings_and_contexts_are_borrowed_from_the_pdu, 0,
			    2);
	tcase_add_loop_test(decode, test_search_ranges_are_read_with_include_and_end, 0, 2);
	tcase_add_loop_test(decode, test_every_value_type_is_read, 0, 2);
	tcase_add_loop_test(decode, test_responses_are_read, 0, 2);
	tcase_add_loop_test(decode, test_a_frame_is_not_complete_before_its_last_octet, 0,
			    N_VECTORS);
	tcase_add_test(decode, test_a_frame_of_wrong_version_or_length_is_lost);
	tcase_add_loop_test(decode, test_malformed_payloads_are_parse_errors, 0, LEN(malformed));
	tcase_add_test(decode, test_oids_over_128_sub_identifiers_are_parse_errors);
	tcase_add_loop_test(decode, test_every_truncation_stays_inside_the_octets, 0, N_VECTORS);
	tcase_add_loop_test(encode, test_pdus_are_written_as_net_snmp_writes_them, 0, N_VECTORS);
	tcase_add_test(encode, test_rfc_2741_examples_are_written_as_printed);
	tcase_add_test(encode, test_only_prefixes_of_one_octet_are_shortened);
	tcase_add_test(encode, test_a_pdu_over_the_limit_is_cut_off_whole);
	tcase_add_test(encode, test_lists_of_thousands_are_read_and_too_long_ones_refused);
	tcase_add_test(encode, test_names_are_those_of_the_rfc);
	suite_add_tcase(s, decode);
	suite_add_tcase(s, encode);

	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);

	const int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
