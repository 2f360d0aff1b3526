/* tests/unit/pcap/seed.c - see seed.h. */
#include "tests/unit/pcap/seed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/message.h"

void seed_read(const char *name, struct seed *seed)
{
	char path[4096];
	struct ipsp_span rest, len;
	size_t n, table_len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/seeds/ikedecode/%s",
		 getenv("TB_SRC") ? getenv("TB_SRC") : ".", name);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(seed->octets, 1, sizeof(seed->octets), f);
	fclose(f);
	ck_assert_uint_lt(n, sizeof(seed->octets));
	table_len = strnlen((const char *)seed->octets, n);
	ck_assert_uint_lt(table_len, sizeof(seed->table));
	memcpy(seed->table, seed->octets, table_len + 1);
	rest = (struct ipsp_span){ seed->octets + table_len + 1, n - table_len - 1 };
	for (seed->n = 0; rest.len > 0; seed->n++) {
		ck_assert_uint_lt(seed->n, SEED_MESSAGES_MAX);
		ck_assert(ike_take(&rest, 2, &len) &&
			  ike_take(&rest, be16dec(len.data), &seed->messages[seed->n]));
	}
}
