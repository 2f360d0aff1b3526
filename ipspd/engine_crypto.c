/* ipspd/engine_crypto.c - what the crypto libraries are good for, told to the log and to each agent. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/provider.h"
#include "ipsp/compress.h"
#include "ipspd/crypto_wire.h"
#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

void engine_crypto_log(bool allow_weak)
{
	struct ipsp_crypto_library library;
	struct ipsp_crypto_suite suite;

	if (allow_weak)
		ipspd_log(LOG_WARNING, "engine", "weak algorithms are allowed (RFC 8221 advises "
			  "against DES, 3DES, CAST, Blowfish, HMAC-MD5 and HMAC-RIPEMD-160)");
	for (unsigned i = 0; ipsp_crypto_library(i, &library); i++) {
		if (library.n_wrong > 0)
			ipspd_log(LOG_ERR, "engine", "crypto by %s: %u answers differ from the "
				  "published ones; what they are of is not done by it",
				  library.name, library.n_wrong);
	}
	for (unsigned i = 0; ipsp_crypto_suite(i, &suite); i++) {
		const char *const encr = suite.encr_name ? suite.encr_name : "AH";

		ipspd_log(suite.library ? LOG_DEBUG : LOG_ERR, "engine", "crypto: %s%s%s by %s",
			  encr, suite.integ_name ? " with " : "",
			  suite.integ_name ? suite.integ_name : "",
			  suite.library ? suite.library : "nobody, so it is not offered");
	}
}

static void set_name(char to[CRYPTO_WIRE_NAME], const char *name)
{
	if (name)
		memcpy(to, name, strnlen(name, CRYPTO_WIRE_NAME - 1));
}

static void add_suite(struct wire_crypto *c, const struct ipsp_crypto_suite *s)
{
	struct wire_crypto_suite *to = &c->suites[c->n_suites++];

	to->proto = s->proto;
	to->encr_bits = s->encr_key_bits;
	to->weak = s->weak;
	to->mbits = s->mbits;
	set_name(to->encr, s->encr_name);
	set_name(to->integ, s->integ_name);
	set_name(to->library, s->library);
}

static void fill(const struct engine_role *role, struct wire_crypto *c)
{
	struct ipsp_crypto_library library;
	struct ipsp_crypto_suite suite;

	c->allow_weak = role->allow_weak;
	for (unsigned i = 0; i < CRYPTO_WIRE_LIBRARIES_MAX && ipsp_crypto_library(i, &library); i++) {
		set_name(c->libraries[i].name, library.name);
		c->libraries[i].n_wrong = library.n_wrong;
		c->n_libraries++;
	}
	for (unsigned i = 0; c->n_suites < CRYPTO_WIRE_SUITES_MAX - 1 && ipsp_crypto_suite(i, &suite);
	     i++)
		add_suite(c, &suite);
	if (role->platform.compress && role->platform.compress->offers(IPSP_COMP_DEFLATE))
		add_suite(c, &(const struct ipsp_crypto_suite){
				     .proto = IPSP_PROTO_IPCOMP, .encr_name = "deflate",
				     .library = "zlib" });
}

void engine_crypto_tell(struct engine_role *role)
{
	struct wire_crypto *c = calloc(1, sizeof(*c));
	uint8_t *buf = malloc(CHAN_PAYLOAD_MAX);
	struct chan_writer w = { .data = buf, .size = CHAN_PAYLOAD_MAX };
	int err = -ENOMEM;

	if (c && buf) {
		fill(role, c);
		err = crypto_wire_put(&w, c) ? chan_send(role->agent, MSG_CRYPTO, buf, w.len, NULL, 0) :
					       -EMSGSIZE;
	}
	if (err)
		ipspd_log(LOG_WARNING, "engine", "what is offered is not told: error %d", -err);
	free(buf);
	free(c);
}
