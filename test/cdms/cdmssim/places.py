"""Public vocabulary the seed is built from: towns, sectors, names."""

# town, county, UK region, postcode area, dialling code, latitude, longitude
TOWNS = [
    ("London", "Greater London", "London", "EC", "020", 51.5074, -0.1278),
    ("Croydon", "Greater London", "London", "CR", "020", 51.3762, -0.0982),
    ("Manchester", "Greater Manchester", "North West", "M", "0161", 53.4808,
     -2.2426),
    ("Liverpool", "Merseyside", "North West", "L", "0151", 53.4084, -2.9916),
    ("Preston", "Lancashire", "North West", "PR", "01772", 53.7632, -2.7031),
    ("Leeds", "West Yorkshire", "Yorkshire and the Humber", "LS", "0113",
     53.8008, -1.5491),
    ("Sheffield", "South Yorkshire", "Yorkshire and the Humber", "S", "0114",
     53.3811, -1.4701),
    ("York", "North Yorkshire", "Yorkshire and the Humber", "YO", "01904",
     53.96, -1.0873),
    ("Newcastle upon Tyne", "Tyne and Wear", "North East", "NE", "0191",
     54.9783, -1.6178),
    ("Darlington", "County Durham", "North East", "DL", "01325", 54.5236,
     -1.5595),
    ("Birmingham", "West Midlands", "West Midlands", "B", "0121", 52.4862,
     -1.8904),
    ("Coventry", "West Midlands", "West Midlands", "CV", "024", 52.4068,
     -1.5197),
    ("Stoke-on-Trent", "Staffordshire", "West Midlands", "ST", "01782",
     53.0027, -2.1794),
    ("Nottingham", "Nottinghamshire", "East Midlands", "NG", "0115", 52.9548,
     -1.1581),
    ("Leicester", "Leicestershire", "East Midlands", "LE", "0116", 52.6369,
     -1.1398),
    ("Derby", "Derbyshire", "East Midlands", "DE", "01332", 52.9225, -1.4746),
    ("Norwich", "Norfolk", "East of England", "NR", "01603", 52.6309, 1.2974),
    ("Cambridge", "Cambridgeshire", "East of England", "CB", "01223", 52.2053,
     0.1218),
    ("Ipswich", "Suffolk", "East of England", "IP", "01473", 52.0567, 1.1482),
    ("Brighton", "East Sussex", "South East", "BN", "01273", 50.8225, -0.1372),
    ("Oxford", "Oxfordshire", "South East", "OX", "01865", 51.752, -1.2577),
    ("Southampton", "Hampshire", "South East", "SO", "023", 50.9097, -1.4044),
    ("Reading", "Berkshire", "South East", "RG", "0118", 51.4543, -0.9781),
    ("Bristol", "Bristol", "South West", "BS", "0117", 51.4545, -2.5879),
    ("Exeter", "Devon", "South West", "EX", "01392", 50.7184, -3.5339),
    ("Truro", "Cornwall", "South West", "TR", "01872", 50.2632, -5.051),
    ("Edinburgh", "Midlothian", "Scotland", "EH", "0131", 55.9533, -3.1883),
    ("Glasgow", "Lanarkshire", "Scotland", "G", "0141", 55.8642, -4.2518),
    ("Aberdeen", "Aberdeenshire", "Scotland", "AB", "01224", 57.1497, -2.0943),
    ("Inverness", "Inverness-shire", "Scotland", "IV", "01463", 57.4778,
     -4.2247),
    ("Cardiff", "South Glamorgan", "Wales", "CF", "029", 51.4816, -3.1791),
    ("Swansea", "West Glamorgan", "Wales", "SA", "01792", 51.6214, -3.9436),
    ("Belfast", "County Antrim", "Northern Ireland", "BT", "028", 54.5973,
     -5.9301),
    ("Derry", "County Londonderry", "Northern Ireland", "BT", "028", 54.9966,
     -7.3086),
]

UKREGIONS = ["London", "North West", "Yorkshire and the Humber", "North East",
             "West Midlands", "East Midlands", "East of England", "South East",
             "South West", "Scotland", "Wales", "Northern Ireland"]

# name, ISO 2, ISO 3, telephone code, in the EU
COUNTRIES = [
    ("United Kingdom", "GB", "GBR", 44, False),
    ("France", "FR", "FRA", 33, True), ("Germany", "DE", "DEU", 49, True),
    ("Ireland", "IE", "IRL", 353, True), ("Spain", "ES", "ESP", 34, True),
    ("Italy", "IT", "ITA", 39, True), ("Poland", "PL", "POL", 48, True),
    ("Sweden", "SE", "SWE", 46, True), ("Norway", "NO", "NOR", 47, False),
    ("Switzerland", "CH", "CHE", 41, False),
    ("Turkey", "TR", "TUR", 90, False),
    ("United States", "US", "USA", 1, False),
    ("Canada", "CA", "CAN", 1, False), ("Brazil", "BR", "BRA", 55, False),
    ("Mexico", "MX", "MEX", 52, False), ("China", "CN", "CHN", 86, False),
    ("Japan", "JP", "JPN", 81, False), ("India", "IN", "IND", 91, False),
    ("Singapore", "SG", "SGP", 65, False),
    ("Australia", "AU", "AUS", 61, False),
    ("South Africa", "ZA", "ZAF", 27, False),
    ("United Arab Emirates", "AE", "ARE", 971, False),
]

SECTORS = [
    "Advanced Engineering", "Aerospace", "Agriculture", "Airports",
    "Automotive", "Biotechnology and Pharmaceuticals", "Chemicals",
    "Clothing, Footwear and Fashion", "Construction", "Creative and Media",
    "Defence", "Education and Training", "Electronics and IT Hardware",
    "Environment", "Financial Services", "Food and Drink",
    "Giftware, Jewellery and Tableware", "Healthcare and Medical",
    "Household Goods", "Leisure and Tourism", "Marine", "Mining",
    "Oil and Gas", "Power", "Railways", "Renewable Energy", "Retail",
    "Security", "Software and Computer Services", "Telecoms",
    "Textiles", "Water",
]

SURNAMES = [
    "Ashworth", "Barker", "Campbell", "Davies", "Ellison", "Fairclough",
    "Griffiths", "Hargreaves", "Iqbal", "Jenkins", "Kaur", "Livingstone",
    "MacGregor", "Nuttall", "Ormerod", "Patel", "Quinn", "Robertson",
    "Sutcliffe", "Thackeray", "Underwood", "Vaughan", "Whitworth", "Yates",
    "Adeyemi", "Bright", "Chaudhry", "Doherty", "Evans", "Fletcher", "Graham",
]

FIRST_NAMES = [
    "Alison", "Benjamin", "Catherine", "David", "Eleanor", "Farah", "George",
    "Harriet", "Imran", "Joanna", "Kenneth", "Lucy", "Mohammed", "Nicola",
    "Oliver", "Priya", "Rhys", "Siobhan", "Thomas", "Ursula", "Victoria",
    "William", "Zainab",
]

TRADES = ["Engineering", "Textiles", "Instruments", "Foods", "Software",
          "Castings", "Ceramics", "Marine", "Packaging", "Pharma", "Tools",
          "Logistics", "Optics", "Breweries", "Energy", "Furniture",
          "Plastics", "Robotics", "Publishing"]

FORMS = ["Ltd", "Limited", "plc", "LLP", "Group Ltd", "Holdings Ltd", "& Co"]

STREETS = ["High Street", "Station Road", "Mill Lane", "Church Street",
           "Victoria Road", "Albert Square", "Canal Street", "Park Row",
           "Science Park Drive", "Dock Road", "Market Place"]

JOBS = ["Managing Director", "Export Manager", "Sales Director",
        "Finance Director", "Head of International Trade", "Buyer",
        "Operations Manager", "Chief Engineer", "Marketing Manager"]
