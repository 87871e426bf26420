"""The service document and $metadata (wcf/01, wcf/02)."""

from . import model

EDMX = "http://schemas.microsoft.com/ado/2007/06/edmx"
EDM = "http://schemas.microsoft.com/ado/2006/04/edm"
META = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>'
# The primary attribute becomes an entry's title (MSDN gg328090).
TITLE = (' m:FC_TargetPath="SyndicationTitle" m:FC_ContentKind="text"'
         ' m:FC_KeepInContent="true"')


def service_document(base):
    sets = "".join('<collection href="%s"><atom:title>%s</atom:title>'
                   "</collection>" % (e.set_name, e.set_name)
                   for e in model.ENTITIES)
    return ('%s<service xml:base="%s/" xmlns="http://www.w3.org/2007/app"'
            ' xmlns:atom="http://www.w3.org/2005/Atom"><workspace>'
            "<atom:title>Default</atom:title>%s</workspace></service>"
            % (PROLOGUE, base, sets))


def metadata():
    body = "".join(map(_entity, model.ENTITIES)) + _complex_types()
    body += "".join(map(_association, model.RELATIONSHIPS)) + _container()
    return ('%s<edmx:Edmx Version="1.0" xmlns:edmx="%s"><edmx:DataServices'
            ' m:DataServiceVersion="1.0" m:MaxDataServiceVersion="2.0"'
            ' xmlns:m="%s"><Schema Namespace="%s" xmlns="%s">%s</Schema>'
            "</edmx:DataServices></edmx:Edmx>"
            % (PROLOGUE, EDMX, META, model.NAMESPACE, EDM, body))


def _entity(entity):
    properties = "".join(_property(entity, p) for p in entity.properties)
    links = "".join(_navigation(n)
                    for n in entity.navigation.values())
    return ('<EntityType Name="%s"><Key><PropertyRef Name="%s" /></Key>%s%s'
            "</EntityType>" % (entity.name, entity.key.name, properties,
                               links))


def _property(entity, prop):
    never_null = prop is entity.key or prop.members is not None
    return '<Property Name="%s" Type="%s"%s%s />' % (
        prop.name, prop.type_name, ' Nullable="false"' if never_null else "",
        TITLE if prop is entity.title else "")


def _navigation(link):
    one, many = _roles(link.relationship)
    to, back = (many, one) if link.many else (one, many)
    return ('<NavigationProperty Name="%s" Relationship="%s.%s" ToRole="%s"'
            ' FromRole="%s" />' % (link.name, model.NAMESPACE,
                                   link.relationship, to, back))


def _roles(relationship):
    """Role names: the end that is one, the end that is many."""
    return relationship + "_one", relationship + "_many"


def _complex_types():
    return "".join(
        '<ComplexType Name="%s">%s</ComplexType>' % (name, "".join(
            '<Property Name="%s" Type="%s" />' % member for member in members))
        for name, members in model.COMPLEX_TYPES.items())


def _association(relationship):
    name, many, _, one = relationship
    role_one, role_many = _roles(name)
    return ('<Association Name="%s">'
            '<End Type="%s.%s" Role="%s" Multiplicity="0..1" />'
            '<End Type="%s.%s" Role="%s" Multiplicity="*" /></Association>'
            % (name, model.NAMESPACE, one, role_one, model.NAMESPACE, many,
               role_many))


def _container():
    sets = "".join('<EntitySet Name="%s" EntityType="%s" />'
                   % (e.set_name, e.type_name) for e in model.ENTITIES)
    ends = "".join(
        '<AssociationSet Name="%s" Association="%s.%s">'
        '<End Role="%s" EntitySet="%sSet" /><End Role="%s" EntitySet="%sSet" />'
        "</AssociationSet>" % (name, model.NAMESPACE, name, _roles(name)[0],
                               one, _roles(name)[1], many)
        for name, many, _, one in model.RELATIONSHIPS)
    return ('<EntityContainer Name="OrganizationData"'
            ' m:IsDefaultEntityContainer="true">%s%s</EntityContainer>'
            % (sets, ends))
