/* xml/names.c - names and namespaces that reader and writer share. */
#include "xml/names.h"

#include <stdio.h>

#include "xml/xml.h"

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

bool xml_is_config(const struct mib_table *t)
{
	if (t->augments)
		return false;
	if (!t->is_scalars)
		return mib_table_column_tc(t, MIB_TC_ROW_STATUS) != NULL;
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].access >= MIB_ACC_WRITE)
			return true;
	return false;
}
