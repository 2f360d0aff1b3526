/*
 * policy/identity.c - identities against what filters say: see identity.h. No recursion: one '*' is gone back
 * to at a time, the last one met.
 */
#include "policy/identity.h"

#include <string.h>

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool pol_identity_text_fits(struct ipsp_span asked, struct ipsp_span value)
{
	size_t a = 0, v = 0, star = SIZE_MAX, star_v = 0;

	while (v < value.len) {
		if (a < asked.len && asked.data[a] == '*') {
			star = a++;
			star_v = v;
		} else if (a < asked.len && lower(asked.data[a]) == lower(value.data[v])) {
			a++;
			v++;
		} else if (star != SIZE_MAX) {
			a = star + 1;
			v = ++star_v;
		} else {
			return false;
		}
	}
	while (a < asked.len && asked.data[a] == '*')
		a++;
	return a == asked.len;
}

/* ---- IPv4 ---- */

/* At most max; *at stands behind it. */
static bool read_number(struct ipsp_span s, size_t *at, uint32_t max, uint32_t *out)
{
	const size_t begin = *at;

	*out = 0;
	for (; *at < s.len && s.data[*at] >= '0' && s.data[*at] <= '9'; (*at)++) {
		*out = *out * 10 + (uint32_t)(s.data[*at] - '0');
		if (*out > max)
			return false;
	}
	return *at > begin;
}

static bool read_ipv4(struct ipsp_span s, size_t *at, uint32_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < 4; i++) {
		uint32_t n;

		if (i > 0 && (*at == s.len || s.data[(*at)++] != '.'))
			return false;
		if (!read_number(s, at, 255, &n))
			return false;
		*out = *out << 8 | n;
	}
	return true;
}

static bool in_ipv4_prefix(struct ipsp_span asked, struct ipsp_span value)
{
	uint32_t net, addr, len;
	size_t at = 0, value_at = 0;

	if (!read_ipv4(asked, &at, &net) || at == asked.len || asked.data[at++] != '/' ||
	    !read_number(asked, &at, 32, &len) || at != asked.len ||
	    !read_ipv4(value, &value_at, &addr) || value_at != value.len)
		return false;
	return len == 0 || ((net ^ addr) >> (32 - len)) == 0;
}

/* ---- names ---- */

static struct ipsp_span trim(struct ipsp_span s)
{
	while (s.len > 0 && s.data[0] == ' ') {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && s.data[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* The next "TYPE=value" of a name; a comma behind a backslash is part of it. False: no more. */
static bool next_attribute(struct ipsp_span name, size_t *at, struct ipsp_span *out)
{
	const size_t begin = *at;

	if (begin > name.len)
		return false;
	while (*at < name.len && name.data[*at] != ',')
		*at += name.data[*at] == '\\' && *at + 1 < name.len ? 2 : 1;
	*out = trim((struct ipsp_span){ name.data + begin, *at - begin });
	(*at)++;
	return true;
}

/* TYPE and value; without '=', all of it is the value. */
static void split(struct ipsp_span attribute, struct ipsp_span *type, struct ipsp_span *value)
{
	const uint8_t *equals = attribute.len ? memchr(attribute.data, '=', attribute.len) : NULL;
	const size_t n = equals ? (size_t)(equals - attribute.data) : 0;

	*type = trim((struct ipsp_span){ attribute.data, n });
	*value = attribute;
	if (equals)
		*value = trim((struct ipsp_span){ equals + 1, attribute.len - n - 1 });
}

static bool name_fits(struct ipsp_span asked, struct ipsp_span name)
{
	struct ipsp_span a, n, a_type, a_value, n_type, n_value;
	size_t a_at = 0, n_at = 0;

	while (next_attribute(asked, &a_at, &a)) {
		if (!next_attribute(name, &n_at, &n))
			return false;
		split(a, &a_type, &a_value);
		split(n, &n_type, &n_value);
		if (!pol_identity_text_fits(a_type, n_type) ||
		    !pol_identity_text_fits(a_value, n_value))
			return false;
	}
	return !next_attribute(name, &n_at, &n);
}

bool pol_identity_fits(uint32_t asked_type, struct ipsp_span asked, uint32_t type,
		       struct ipsp_span value)
{
	if (asked_type != type)
		return false;
	if (type == POL_ID_IPV4 && in_ipv4_prefix(asked, value))
		return true;
	return type == POL_ID_DER_DN ? name_fits(asked, value) :
				       pol_identity_text_fits(asked, value);
}
