/* xml/names.c - names and namespaces that reader and writer share. */
#include "xml/names.h"

#include <stdio.h>

#include "mibs/file_seal.h"
#include "mibs/schema_gen.h"
#include "mibs/store.h"
#include "xml/xml.h"

static const struct mib_label schemes[] = {
	{ "scrypt-aes-siv", MIB_FILE_SEAL_PASSPHRASE },
	{ "keyfile-aes-siv", MIB_FILE_SEAL_KEYFILE },
};
static const struct mib_range salt_size = { MIB_FILE_SEAL_SALT, MIB_FILE_SEAL_SALT };
static const struct mib_range check_size = { MIB_FILE_SEAL_CHECK, MIB_FILE_SEAL_CHECK };
static const struct mib_range secret_size = { MIB_FILE_SEAL_OVERHEAD, 65535 };

const struct mib_column xml_sealed_scheme = { .name = "scheme", .syntax = MIB_SYN_INTEGER,
					      .labels = schemes, .n_labels = 2 };
const struct mib_column xml_sealed_salt = { .name = "salt", .syntax = MIB_SYN_OCTETS,
					    .ranges = &salt_size, .n_ranges = 1 };
const struct mib_column xml_sealed_key_check = { .name = "keyCheck", .syntax = MIB_SYN_OCTETS,
						 .ranges = &check_size, .n_ranges = 1 };
const struct mib_column xml_sealed_list_check = { .name = "listCheck", .syntax = MIB_SYN_OCTETS,
						  .ranges = &check_size, .n_ranges = 1 };
const struct mib_column xml_secret_object = { .name = "object", .syntax = MIB_SYN_OID };
const struct mib_column xml_secret_value = { .name = "value", .syntax = MIB_SYN_OCTETS,
					     .ranges = &secret_size, .n_ranges = 1 };

size_t xml_namespace(const char *module, char *buf, size_t size)
{
	int n = snprintf(buf, size, "urn:ietf:params:xml:ns:yang:smiv2:%s", module);

	return n < 0 ? 0 : (size_t)n;
}

bool xml_is_key(const struct mib_table *t, const struct mib_column *col)
{
	for (size_t i = 0; i < t->n_index; i++)
		if (t->index[i] == col)
			return true;
	return false;
}

/* What is written there is done and forgotten. emit_yang.py has the same list. */
static bool holds_orders(const struct mib_table *t)
{
	return t == &mib_t_ipspdGroupControl || t == &mib_t_ipspdTransactions;
}

bool xml_is_config(const struct mib_table *t)
{
	if (t->augments || holds_orders(t))
		return false;
	if (!t->is_scalars) {
		const struct mib_column *storage = mib_table_column_tc(t, MIB_TC_STORAGE_TYPE);

		return mib_table_column_tc(t, MIB_TC_ROW_STATUS) &&
		       !(storage && storage->def.number == MIB_ST_VOLATILE);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].access >= MIB_ACC_WRITE)
			return true;
	return false;
}
