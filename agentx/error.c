/*
 * agentx/error.c - the one table from refusals of mibs/ to SNMP. RFC 3416 3, RFC 2741 7.2.4.
 */
#include "agentx/error.h"

static const struct {
	uint16_t status;
	uint16_t exception;
} errors[] = {
	[MIB_OK] = { AX_SNMP_NO_ERROR, AX_NULL },
	[MIB_NO_SUCH_OBJECT] = { AX_SNMP_GEN_ERR, AX_NO_SUCH_OBJECT },
	[MIB_NO_SUCH_INSTANCE] = { AX_SNMP_GEN_ERR, AX_NO_SUCH_INSTANCE },
	[MIB_END_OF_VIEW] = { AX_SNMP_GEN_ERR, AX_END_OF_MIB_VIEW },
	[MIB_NO_ACCESS] = { AX_SNMP_NO_ACCESS, AX_NULL },
	[MIB_NOT_WRITABLE] = { AX_SNMP_NOT_WRITABLE, AX_NULL },
	[MIB_WRONG_TYPE] = { AX_SNMP_WRONG_TYPE, AX_NULL },
	[MIB_WRONG_LENGTH] = { AX_SNMP_WRONG_LENGTH, AX_NULL },
	[MIB_WRONG_ENCODING] = { AX_SNMP_WRONG_ENCODING, AX_NULL },
	[MIB_WRONG_VALUE] = { AX_SNMP_WRONG_VALUE, AX_NULL },
	[MIB_NO_CREATION] = { AX_SNMP_NO_CREATION, AX_NULL },
	[MIB_INCONSISTENT_NAME] = { AX_SNMP_INCONSISTENT_NAME, AX_NULL },
	[MIB_INCONSISTENT_VALUE] = { AX_SNMP_INCONSISTENT_VALUE, AX_NULL },
	[MIB_RESOURCE_UNAVAILABLE] = { AX_SNMP_RESOURCE_UNAVAILABLE, AX_NULL },
	[MIB_COMMIT_FAILED] = { AX_SNMP_COMMIT_FAILED, AX_NULL },
	[MIB_UNDO_FAILED] = { AX_SNMP_UNDO_FAILED, AX_NULL },
	[MIB_GEN_ERR] = { AX_SNMP_GEN_ERR, AX_NULL },
	[MIB_BUSY] = { AX_SNMP_RESOURCE_UNAVAILABLE, AX_NULL },
};

uint16_t ax_error_status(enum mib_err err)
{
	return errors[err].status;
}

enum ax_value_type ax_error_exception(enum mib_err err)
{
	return errors[err].exception;
}
