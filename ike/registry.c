/*
 * ike/registry.c - names of numbers.
 */
#include "ike/registry.h"

#include <stdio.h>

struct ike_number {
	uint32_t number;
	const char *text;
};

#define NUMBER(n, name) { n, #name },
#define NUMBERS(id, list) static const struct ike_number numbers_##id[] = { list(NUMBER) };
IKE_LISTS(NUMBERS)

#define LIST(id, list) \
	[IKE_LIST_##id] = { numbers_##id, sizeof(numbers_##id) / sizeof(numbers_##id[0]) },
static const struct {
	const struct ike_number *names;
	size_t n;
} lists[IKE_N_LISTS] = { IKE_LISTS(LIST) };

const char *ike_name(enum ike_list list, uint32_t number)
{
	for (size_t i = 0; i < lists[list].n; i++) {
		if (lists[list].names[i].number == number)
			return lists[list].names[i].text;
	}
	return NULL;
}

const char *ike_name_or_number(enum ike_list list, uint32_t number, char buf[IKE_NAME_TEXT])
{
	const char *name = ike_name(list, number);

	snprintf(buf, IKE_NAME_TEXT, "%u", number);
	return name ? name : buf;
}

enum ike_list ike_transform_list(uint8_t type)
{
	static const enum ike_list by_type[] = {
		[IKE_TRANSFORM_ENCR] = IKE_LIST_ENCR, [IKE_TRANSFORM_PRF] = IKE_LIST_PRF,
		[IKE_TRANSFORM_INTEG] = IKE_LIST_INTEG, [IKE_TRANSFORM_KE] = IKE_LIST_KE,
		[IKE_TRANSFORM_ESN] = IKE_LIST_ESN,
	};

	if (type >= IKE_TRANSFORM_ADDKE1 && type <= IKE_TRANSFORM_ADDKE7)
		return IKE_LIST_KE;
	return type < sizeof(by_type) / sizeof(by_type[0]) ? by_type[type] : IKE_LIST_NONE;
}
