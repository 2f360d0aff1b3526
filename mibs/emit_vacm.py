"""Writes the views of snmpd's access control that follow from the MIB modules. RFC 3415.

What a monitor may see is decided here, and fails closed: every object that can hold text or octets
is hidden from it, and with it every table that has such an index, until its name stands in OPEN.
So a new column for an identity, an address, a certificate or a secret is hidden before anybody has
thought of it. Numbers, enumerations and most pointers to rows say nothing of who a peer is.

Output depends on the modules alone and is the same at every run.
"""

# Objects of octets in which nothing says who somebody is: names that the operator has given to rows,
# texts of ours, masks and periods of filters. No addresses, identities, certificates, packets, keys.
OPEN = frozenset("""
    spdIngressPolicyGroupName spdEgressPolicyGroupName spdEndGroupName
    spdGroupContName spdGroupContComponentName
    spdRuleDefName spdRuleDefDescription
    spdCompFiltName spdCompFiltDescription
    spdIpOffFiltName spdIpOffFiltValue
    spdTimeFiltName spdTimeFiltPeriod spdTimeFiltDayOfMonthMask spdTimeFiltTimeOfDayMask
    spdIpsoHeadFiltName spdCompActName
    ipsaSaPreActActionName ipsaSaPreActActionDescription
    ipsaSaPreActAHTransformName ipsaSaPreActESPTransformName ipsaSaPreActIPCompTransformName
    ipsaAhTranName ipsaEspTranName ipsaIpcompTranName
    ipiaIkeActName ipiaIkeActParametersName ipiaIkeActPropName
    ipiaIpsecActName ipiaIpsecActParametersName ipiaIpsecActProposalsName
    ipiaSaNegParamName ipiaIpsecPropName ipiaIpsecPropTransformsName
    ipiaIpsecTranName ipiaIpsecTranTransformName
    ipspdVersion ipspdRuleReason ipspdPreActReason ipspdDropName ipspdDropReason
    ipspdSpdRuleName ipspdSpdGroup ipspdSpdSa ipspdSpdListGroup
    ipspdSaAction ipspdSaReason ipspdSaCipher ipspdSaIntegrity
    ipspdCryptoLibraryName ipspdCryptoSuiteCipher ipspdCryptoSuiteIntegrity ipspdCryptoSuiteLibrary
    ipspdIkeSaCipher ipspdIkeSaIntegrity ipspdIkeSaPrf
    ipspdOperationText
    ipspdConnAction ipspdConnIkeAction ipspdConnReason ipspdConnRules ipspdConnIkeVersion
    ipspdConnIkeAlgorithms ipspdConnSaAlgorithms ipspdConnPfs ipspdConnLifetimes ipspdConnOptions
""".split())


# Pointers at rows of any table, also of those whose names are hidden.
CLOSED = frozenset(["ipspdProblemRow"])


def is_hidden(node):
    """Is a column or scalar hidden from monitors?"""
    return node.name in CLOSED or (node.type.base == "OCTET STRING" and node.name not in OPEN)


def index_of(table):
    return (table.entry.augments or table.entry).index


def hides_rows(table):
    """Do the names of its instances alone say what a monitor may not see?"""
    return not table.is_scalars and any(is_hidden(n) for n in index_of(table))


def hidden(model):
    """Nodes, in OID order, below which a monitor sees nothing."""
    found = []
    for table in model.tables:
        if hides_rows(table):
            found.append(table.entry)
        else:
            found += [c for c in table.columns if c.access != "not-accessible" and is_hidden(c)]
    return found


def view(name, kind, node, oid):
    return "# %s\nview %s %s .%s\n" % (node, name, kind, ".".join(str(arc) for arc in oid))


def served(model, serve):
    """(module name, OID) of what ipspd registers."""
    return [(m.name, serve.get(m.name, m.identity).oid) for m in model.served]


def fill(template, model, serve):
    """The template with its lines @POLICY VIEW.. and @HIDDEN VIEW made into lines of views."""
    out = []
    for line in template.splitlines(keepends=True):
        word, *views = line.split() or [""]
        if word == "@POLICY":
            out += [view(v, "included", name, oid) for v in views
                    for name, oid in served(model, serve)]
        elif word == "@HIDDEN":
            out += [view(v, "excluded", n.name, n.oid) for v in views for n in hidden(model)]
        else:
            out.append(line)
    return "".join(out)
