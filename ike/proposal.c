/* ike/proposal.c - proposals: see proposal.h. */
#include "ike/proposal.h"

#include <stdio.h>
#include <string.h>
#include <sys/endian.h>

#define LAST 0u
#define MORE_PROPOSALS 2u
#define MORE_TRANSFORMS 3u
#define ATTRIBUTE_KEY_LENGTH 14u
#define ATTRIBUTE_SHORT 0x8000u

bool ike_offer_add(struct ike_offer *o, uint8_t type, uint16_t id, uint16_t key_bits)
{
	if (o->n == IKE_CHOICES_MAX)
		return false;
	o->choices[o->n++] = (struct ike_choice){ type, id, key_bits };
	return true;
}

/* ---- reading ---- */

/* @return false: it has an attribute that is not known here */
static bool read_attributes(struct ipsp_span rest, uint16_t *key_bits, bool *broken,
			    struct ike_fault *why)
{
	struct ike_attribute a;
	enum ike_step step;
	bool known = true;

	*key_bits = 0;
	while ((step = ike_attribute_next(&rest, &a, why)) == IKE_STEP_ITEM) {
		if (a.type == ATTRIBUTE_KEY_LENGTH && a.is_short)
			*key_bits = be16dec(a.value.data);
		else
			known = false;
	}
	*broken = step == IKE_STEP_BROKEN;
	return known;
}

static bool read_transforms(const struct ike_proposal *p, struct ike_offer *out,
			    struct ike_fault *why)
{
	struct ipsp_span rest = p->transforms;
	struct ike_transform t;
	enum ike_step step;
	unsigned n = 0;

	while ((step = ike_transform_next(&rest, &t, why)) == IKE_STEP_ITEM) {
		uint16_t key_bits;
		bool broken;

		if (read_attributes(t.attributes, &key_bits, &broken, why))
			ike_offer_add(out, t.type, t.id, key_bits);
		if (broken)
			return false;
		n++;
	}
	if (step == IKE_STEP_END && n != p->n_transforms) {
		*why = (struct ike_fault){ "a proposal has not as many transforms as it says",
					   p->whole.data };
		return false;
	}
	return step == IKE_STEP_END;
}

bool ike_offers_read(struct ipsp_span body, struct ike_offers *out, struct ike_fault *why)
{
	struct ike_proposal p;
	struct ike_offer spare;
	enum ike_step step;

	out->n = 0;
	while ((step = ike_proposal_next(&body, &p, why)) == IKE_STEP_ITEM) {
		const bool fits = out->n < IKE_OFFERS_MAX && p.spi.len <= IKE_SPI_LEN;
		struct ike_offer *const o = fits ? &out->offers[out->n] : &spare;

		*o = (struct ike_offer){ .number = p.number, .protocol = p.protocol };
		if (fits && p.spi.len > 0) {
			o->spi_len = (uint8_t)p.spi.len;
			memcpy(o->spi, p.spi.data, p.spi.len);
		}
		if (!read_transforms(&p, o, why))
			return false;
		out->n += fits;
	}
	return step == IKE_STEP_END;
}

/* ---- writing ---- */

static void write_choice(const struct ike_choice *c, bool last, struct ike_builder *b)
{
	ike_build_u8(b, last ? LAST : MORE_TRANSFORMS);
	ike_build_u8(b, 0);
	ike_build_u16(b, c->key_bits ? 12 : 8);
	ike_build_u8(b, c->type);
	ike_build_u8(b, 0);
	ike_build_u16(b, c->id);
	if (!c->key_bits)
		return;
	ike_build_u16(b, ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH);
	ike_build_u16(b, c->key_bits);
}

static void write_offer(const struct ike_offer *o, bool last, struct ike_builder *b)
{
	size_t len = 8u + o->spi_len;

	for (unsigned i = 0; i < o->n; i++)
		len += o->choices[i].key_bits ? 12 : 8;
	ike_build_u8(b, last ? LAST : MORE_PROPOSALS);
	ike_build_u8(b, 0);
	ike_build_u16(b, (uint16_t)len);
	ike_build_u8(b, o->number);
	ike_build_u8(b, o->protocol);
	ike_build_u8(b, o->spi_len);
	ike_build_u8(b, o->n);
	ike_build_octets(b, (struct ipsp_span){ o->spi, o->spi_len });
	for (unsigned i = 0; i < o->n; i++)
		write_choice(&o->choices[i], i + 1u == o->n, b);
}

void ike_offers_write(const struct ike_offers *offers, struct ike_builder *b)
{
	ike_build_payload(b, IKE_PAYLOAD_SA);
	for (unsigned i = 0; i < offers->n; i++)
		write_offer(&offers->offers[i], i + 1u == offers->n, b);
}

static void add_if(struct ike_offer *o, uint8_t type, uint16_t id, uint16_t key_bits)
{
	if (id)
		ike_offer_add(o, type, id, key_bits);
}

void ike_suite_write(const struct ike_suite *s, struct ipsp_span spi, struct ike_builder *b)
{
	struct ike_offer o = { .number = s->number, .protocol = s->protocol,
			       .spi_len = (uint8_t)spi.len };

	if (spi.len > 0)
		memcpy(o.spi, spi.data, spi.len);
	add_if(&o, IKE_TRANSFORM_ENCR, s->encr, s->encr_key_bits);
	add_if(&o, IKE_TRANSFORM_PRF, s->prf, 0);
	add_if(&o, IKE_TRANSFORM_INTEG, s->integ, 0);
	add_if(&o, IKE_TRANSFORM_KE, s->ke, 0);
	for (uint8_t i = 0; i < IKE_ADD_KE_MAX; i++)
		add_if(&o, (uint8_t)(IKE_TRANSFORM_ADDKE1 + i), s->add_ke[i], 0);
	if (s->protocol != IKE_PROTOCOL_IKE)
		ike_offer_add(&o, IKE_TRANSFORM_ESN, s->esn, 0);
	ike_build_payload(b, IKE_PAYLOAD_SA);
	write_offer(&o, true, b);
}

/* ---- choosing ---- */

/* What stands for "none" where a type may be left out: integrity, key exchanges, 32-bit numbers. */
static bool may_lack(uint8_t type)
{
	return type != IKE_TRANSFORM_ENCR && type != IKE_TRANSFORM_PRF;
}

static bool has(const struct ike_offer *o, const struct ike_choice *want)
{
	bool any = false;

	for (unsigned i = 0; i < o->n; i++) {
		const struct ike_choice *const c = &o->choices[i];

		if (c->type != want->type)
			continue;
		any = true;
		if (c->id == want->id && c->key_bits == want->key_bits)
			return true;
	}
	return !any && may_lack(want->type) && want->id == 0;
}

static bool has_type(const struct ike_offer *o, uint8_t type)
{
	for (unsigned i = 0; i < o->n; i++) {
		if (o->choices[i].type == type)
			return true;
	}
	return false;
}

static const struct ike_choice none_of[IKE_TRANSFORM_ADDKE7 + 1] = { { 0 } };

/* Our first transform of a type that they have, too. NULL: none */
static const struct ike_choice *choose(const struct ike_offer *ours, const struct ike_offer *theirs,
				       uint8_t type)
{
	const struct ike_choice none = { .type = type };

	for (unsigned i = 0; i < ours->n; i++) {
		if (ours->choices[i].type == type && has(theirs, &ours->choices[i]))
			return &ours->choices[i];
	}
	return !has_type(ours, type) && has(theirs, &none) ? &none_of[type] : NULL;
}

static void take(struct ike_suite *s, uint8_t type, const struct ike_choice *c)
{
	switch (type) {
	case IKE_TRANSFORM_ENCR:
		s->encr = c->id;
		s->encr_key_bits = c->key_bits;
		break;
	case IKE_TRANSFORM_PRF:
		s->prf = c->id;
		break;
	case IKE_TRANSFORM_INTEG:
		s->integ = c->id;
		break;
	case IKE_TRANSFORM_KE:
		s->ke = c->id;
		break;
	case IKE_TRANSFORM_ESN:
		s->esn = c->id == 1;
		break;
	default:
		s->add_ke[type - IKE_TRANSFORM_ADDKE1] = c->id;
		break;
	}
}

/* A type neither side has is chosen as none; ENCR and PRF only where the protocol has none. */
static bool choose_all(const struct ike_offer *ours, const struct ike_offer *theirs,
		       struct ike_suite *out)
{
	if (ours->protocol != theirs->protocol)
		return false;
	*out = (struct ike_suite){ .number = theirs->number, .protocol = theirs->protocol,
				   .spi_len = theirs->spi_len };
	memcpy(out->spi, theirs->spi, sizeof(out->spi));
	for (uint8_t type = IKE_TRANSFORM_ENCR; type <= IKE_TRANSFORM_ADDKE7; type++) {
		const struct ike_choice *c;

		if (!may_lack(type) && !has_type(ours, type) && !has_type(theirs, type))
			continue;
		c = choose(ours, theirs, type);
		if (!c)
			return false;
		take(out, type, c);
	}
	return true;
}

bool ike_offers_choose(const struct ike_offers *ours, const struct ike_offers *theirs,
		       struct ike_suite *out)
{
	for (unsigned i = 0; i < ours->n; i++) {
		for (unsigned k = 0; k < theirs->n; k++) {
			if (choose_all(&ours->offers[i], &theirs->offers[k], out))
				return true;
		}
	}
	return false;
}

/* More than one transform of a type would leave it open which was chosen. */
static bool one_each(const struct ike_offer *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (o->choices[i].type == o->choices[k].type)
				return false;
		}
	}
	return true;
}

bool ike_offers_accept(const struct ike_offers *ours, const struct ike_offers *answer,
		       struct ike_suite *out)
{
	if (answer->n != 1 || !one_each(&answer->offers[0]))
		return false;
	for (unsigned i = 0; i < ours->n; i++) {
		if (ours->offers[i].number == answer->offers[0].number)
			return choose_all(&ours->offers[i], &answer->offers[0], out);
	}
	return false;
}

/* ---- for people ---- */

const char *ike_offer_text(const struct ike_offer *o, char buf[IKE_OFFER_TEXT])
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < o->n && at < IKE_OFFER_TEXT; i++) {
		const struct ike_choice *const c = &o->choices[i];
		char name[IKE_NAME_TEXT], bits[8] = "";

		if (c->key_bits)
			snprintf(bits, sizeof(bits), "-%u", c->key_bits);
		at += (size_t)snprintf(buf + at, IKE_OFFER_TEXT - at, "%s%s%s", i > 0 ? "/" : "",
				       ike_name_or_number(ike_transform_list(c->type), c->id, name), bits);
	}
	return buf;
}
