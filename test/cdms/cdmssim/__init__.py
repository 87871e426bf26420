"""A stand-in for Dynamics CRM 2011's OrganizationData.svc ("CDMS").

Modules, from the wire inwards:

    http_server   sockets and HTTP/1.1
    application   one request: login, faults, log, control or service
    service       the URL space of OrganizationData.svc and its verbs
    grammar       the query options' language, parsed and type-checked
    query         which rows a request means, page by page
    json_format, atom_format, metadata, batch
                  what goes over the wire
    writer        what a create, MERGE, PUT or DELETE does
    store         tables and their indexes
    model         entities and properties
    seed, hard_values
                  the data every run starts from
    switches, clock, faults, request_log, commands
                  what a test may turn
"""
