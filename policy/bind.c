/* policy/bind.c - gives the store all binders: see bind.h. */
#include "policy/bind.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/policy.h"

enum mib_err pol_refuse(struct mib_diag *d, const struct mib_row *r, const struct mib_column *col,
			const char *fmt, ...)
{
	char text[sizeof(d->text)];
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mib_diag_set(d, col, index, len, "%s", text);
	return MIB_INCONSISTENT_VALUE;
}

enum mib_err pol_bind(struct mib_store *s)
{
	static const struct mib_binder *const binders[] = {
		&pol_bind_credential,
		&pol_bind_segment,
		&pol_bind_esp_transform,
		&pol_bind_ah_transform,
		&pol_bind_preconfigured,
		&pol_bind_ike_proposal,
		&pol_bind_ike_transforms,
		&pol_bind_ipsec_action,
		&pol_bind_endpoint,
		&pol_bind_system_groups,
		&pol_bind_closure,
		&pol_bind_response,
	};

	for (size_t i = 0; i < sizeof(binders) / sizeof(binders[0]); i++) {
		enum mib_err err = mib_store_add_binder(s, binders[i]);

		if (err != MIB_OK)
			return err;
	}
	return MIB_OK;
}
