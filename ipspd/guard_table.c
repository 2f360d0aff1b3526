/*
 * ipspd/guard_table.c - the guard's nftables table in the kernel, and its twin.
 *
 * The table outlives every process, so any program with the right to change nftables can flush it.
 * The twin has the same rules and belongs to the parent: the kernel keeps others from a table with an
 * owner (`nft flush ruleset` passes over it) and removes it with the owner's connection. Either one
 * is enough; both are replaced in one change. Kernels before 5.12 know no owners.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/log.h"
#include "ipspd/marks.h"

#define TEXT_MAX 400

static struct nft_ctx *open_nft(void)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

	if (nft && (nft_ctx_buffer_error(nft) != 0 || nft_ctx_buffer_output(nft) != 0)) {
		nft_ctx_free(nft);
		return NULL;
	}
	return nft;
}

static int run(struct nft_ctx *nft, const char *text, const char **why)
{
	static char said[TEXT_MAX];	/* what nft said last */

	if (nft_run_cmd_from_buffer(nft, text) == 0)
		return 0;
	snprintf(said, sizeof(said), "nftables: %s", nft_ctx_get_error_buffer(nft));
	*why = said;
	return -EIO;
}

/* Over a connection of its own. */
static int run_alone(const char *text, const char **why)
{
	struct nft_ctx *nft = open_nft();

	if (!nft) {
		*why = "nftables: no memory";
		return -ENOMEM;
	}
	int rc = run(nft, text, why);
	nft_ctx_free(nft);
	return rc;
}

static int write_tables(const struct guard_view *v, const char **why)
{
	char *text = guard_nft_text(v);

	if (!text) {
		*why = "nftables: no memory";
		return -ENOMEM;
	}
	int rc = v->owner ? run(v->owner, text, why) : run_alone(text, why);
	free(text);
	return rc;
}

int guard_table_apply(const struct guard_view *v, const char **why)
{
	struct guard_view silent = *v;
	int rc = write_tables(v, why);

	if (rc == 0 || rc == -ENOMEM || !v->log)
		return rc;
	silent.log = false;
	rc = write_tables(&silent, why);
	if (rc == 0)
		ipspd_log(LOG_WARNING, "guard", "this kernel logs no packets (nfnetlink_log): "
			  "entries with log hold, and are silent");
	return rc;
}

struct nft_ctx *guard_table_own(const char **why)
{
	struct nft_ctx *nft = open_nft();

	if (!nft) {
		*why = "nftables: no memory";
		return NULL;
	}
	if (run(nft, "add table inet " IPSPD_NFT_TWIN " { flags owner; }\n", why) < 0) {
		nft_ctx_free(nft);
		return NULL;
	}
	return nft;
}

void guard_table_disown(struct nft_ctx *owner)
{
	if (owner)
		nft_ctx_free(owner);
}

char *guard_table_show(void)
{
	struct nft_ctx *nft = open_nft();
	char *text = NULL;

	if (!nft)
		return NULL;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_NUMERIC_PROTO);
	if (nft_run_cmd_from_buffer(nft, "list table inet " IPSPD_NFT_TABLE) == 0)
		text = strdup(nft_ctx_get_output_buffer(nft));
	else
		text = strdup("");
	nft_ctx_free(nft);
	return text;
}

int guard_table_remove(const char **why)
{
	return run_alone("add table inet " IPSPD_NFT_TABLE "\n"
			 "delete table inet " IPSPD_NFT_TABLE "\n", why);
}
