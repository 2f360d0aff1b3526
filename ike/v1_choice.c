/* ike/v1_choice.c - attributes of an ISAKMP SA: see v1_choice.h. */
#include "ike/v1_choice.h"

#include <sys/endian.h>

#define SITUATION_END 8u	/* DOI and situation, RFC 2408 3.4 */
#define PROTOCOL_ISAKMP 1u

/* Where an attribute goes; NULL: not here. */
static uint16_t *place_of(struct ike_v1_choice *c, uint16_t type)
{
	switch (type) {
	case IKE_V1_ATTRIBUTE_Encryption:
		return &c->encr;
	case IKE_V1_ATTRIBUTE_Key_Length:
		return &c->key_bits;
	case IKE_V1_ATTRIBUTE_Hash:
		return &c->hash;
	case IKE_V1_ATTRIBUTE_Authentication:
		return &c->auth;
	case IKE_V1_ATTRIBUTE_Group:
		return &c->group;
	default:
		return NULL;
	}
}

bool ike_v1_choice_read(const struct ike_transform *t, struct ike_v1_choice *out,
			struct ike_fault *why)
{
	struct ike_v1_choice choice = { 0 };
	struct ipsp_span rest = t->attributes;
	struct ike_attribute a;
	enum ike_step step;

	while ((step = ike_attribute_next(&rest, &a, why)) == IKE_STEP_ITEM) {
		uint16_t *const place = place_of(&choice, a.type);

		if (place && a.value.len == sizeof(*place))
			*place = be16dec(a.value.data);
	}
	if (step != IKE_STEP_END)
		return false;
	*out = choice;
	return true;
}

static bool none(struct ike_fault *why, const uint8_t *where)
{
	*why = (struct ike_fault){ "an answer has one transform for an ISAKMP SA", where };
	return false;
}

bool ike_v1_choice_find(struct ipsp_span body, struct ike_v1_choice *out, struct ike_fault *why)
{
	struct ipsp_span rest = body, fixed;
	struct ike_proposal proposal;
	struct ike_transform t;
	enum ike_step step;

	if (!ike_take(&rest, SITUATION_END, &fixed))
		return none(why, body.data);
	step = ike_proposal_next(&rest, &proposal, why);
	if (step == IKE_STEP_BROKEN)
		return false;
	if (step == IKE_STEP_END || rest.len > 0 || proposal.protocol != PROTOCOL_ISAKMP)
		return none(why, body.data);
	rest = proposal.transforms;
	step = ike_transform_next(&rest, &t, why);
	if (step == IKE_STEP_BROKEN)
		return false;
	if (step == IKE_STEP_END || rest.len > 0)
		return none(why, body.data);
	return ike_v1_choice_read(&t, out, why);
}
