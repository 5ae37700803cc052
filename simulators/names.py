"""Names and places of the simulated country: provinces, ministries, people, suppliers and banks, in Latin and Khmer.

Payments carry the official Latin name of a payee (a name is never transliterated on the way); Khmer stands where
people write freely, in remittance text. All of it is invented or public geography; no person is meant.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import NamedTuple

PHNOM_PENH = timezone(timedelta(hours=7), "Asia/Phnom_Penh")
"""The country's time; it has no daylight saving."""


class Province(NamedTuple):
    """A province (or the capital) with the town of its treasury, in Latin, Khmer and as a post code."""

    name: str
    khmer: str
    town: str
    post_code: str


class Bank(NamedTuple):
    """A bank of the directory and the number of digits of its accounts (9 to 15)."""

    bic: str
    digits: int


class Ministry(NamedTuple):
    """A spending ministry: its budget code, Latin name and Khmer name."""

    code: str
    name: str
    khmer: str


PROVINCES = (
    Province("Banteay Meanchey", "បន្ទាយមានជ័យ", "Serei Saophoan", "010200"),
    Province("Battambang", "បាត់ដំបង", "Battambang", "020300"),
    Province("Kampong Cham", "កំពង់ចាម", "Kampong Cham", "030500"),
    Province("Kampong Chhnang", "កំពង់ឆ្នាំង", "Kampong Chhnang", "040300"),
    Province("Kampong Speu", "កំពង់ស្ពឺ", "Chbar Mon", "050200"),
    Province("Kampong Thom", "កំពង់ធំ", "Stueng Saen", "060300"),
    Province("Kampot", "កំពត", "Kampot", "070800"),
    Province("Kandal", "កណ្ដាល", "Ta Khmau", "081100"),
    Province("Koh Kong", "កោះកុង", "Khemarak Phoumin", "090400"),
    Province("Kratie", "ក្រចេះ", "Kratie", "100200"),
    Province("Mondulkiri", "មណ្ឌលគិរី", "Saen Monourom", "110500"),
    Province("Phnom Penh", "ភ្នំពេញ", "Phnom Penh", "120200"),
    Province("Preah Vihear", "ព្រះវិហារ", "Preah Vihear", "130800"),
    Province("Prey Veng", "ព្រៃវែង", "Prey Veng", "140900"),
    Province("Pursat", "ពោធិ៍សាត់", "Pursat", "150500"),
    Province("Ratanakiri", "រតនគិរី", "Ban Lung", "160200"),
    Province("Siem Reap", "សៀមរាប", "Siem Reap", "171000"),
    Province("Preah Sihanouk", "ព្រះសីហនុ", "Preah Sihanouk", "180100"),
    Province("Stung Treng", "ស្ទឹងត្រែង", "Stung Treng", "190400"),
    Province("Svay Rieng", "ស្វាយរៀង", "Svay Rieng", "200600"),
    Province("Takeo", "តាកែវ", "Doun Kaev", "210800"),
    Province("Oddar Meanchey", "ឧត្តរមានជ័យ", "Samraong", "220400"),
    Province("Kep", "កែប", "Kep", "230200"),
    Province("Pailin", "ប៉ៃលិន", "Pailin", "240100"),
    Province("Tboung Khmum", "ត្បូងឃ្មុំ", "Suong", "250600"),
)
"""The capital and the 24 provinces, in the order of their administrative codes."""

MINISTRIES = (
    Ministry("07", "Ministry of Interior", "ក្រសួងមហាផ្ទៃ"),
    Ministry("10", "Ministry of Economy and Finance", "ក្រសួងសេដ្ឋកិច្ច និងហិរញ្ញវត្ថុ"),
    Ministry("11", "Ministry of Information", "ក្រសួងព័ត៌មាន"),
    Ministry("12", "Ministry of Health", "ក្រសួងសុខាភិបាល"),
    Ministry("13", "Ministry of Mines and Energy", "ក្រសួងរ៉ែ និងថាមពល"),
    Ministry("14", "Ministry of Planning", "ក្រសួងផែនការ"),
    Ministry("15", "Ministry of Commerce", "ក្រសួងពាណិជ្ជកម្ម"),
    Ministry("16", "Ministry of Education, Youth and Sport", "ក្រសួងអប់រំ យុវជន និងកីឡា"),
    Ministry("17", "Ministry of Agriculture, Forestry and Fisheries", "ក្រសួងកសិកម្ម រុក្ខាប្រមាញ់ និងនេសាទ"),
    Ministry("18", "Ministry of Culture and Fine Arts", "ក្រសួងវប្បធម៌ និងវិចិត្រសិល្បៈ"),
    Ministry("19", "Ministry of Environment", "ក្រសួងបរិស្ថាន"),
    Ministry("20", "Ministry of Rural Development", "ក្រសួងអភិវឌ្ឍន៍ជនបទ"),
    Ministry("21", "Ministry of Social Affairs", "ក្រសួងសង្គមកិច្ច"),
    Ministry("22", "Ministry of Post and Telecommunications", "ក្រសួងប្រៃសណីយ៍ និងទូរគមនាគមន៍"),
    Ministry("25", "Ministry of Public Works and Transport", "ក្រសួងសាធារណការ និងដឹកជញ្ជូន"),
    Ministry("32", "Ministry of Labour and Vocational Training", "ក្រសួងការងារ និងបណ្ដុះបណ្ដាលវិជ្ជាជីវៈ"),
)

BANKS = (
    Bank("ACLBKHPP", 14),
    Bank("ABAAKHPP", 9),
    Bank("CADIKHPP", 13),
    Bank("FTCCKHPP", 12),
    Bank("CPBPKHP2", 11),
    Bank("BKCHKHPP", 15),
    Bank("ICBKKHPP", 15),
    Bank("PPCBKHPP", 10),
)
"""Commercial banks that hold the payees' accounts."""

CENTRAL_BANK = "NCAMKHPP"
TREASURY = "TREAKHPP"
"""The treasury as a participant of the high-value rail (assumed: not published)."""

BIC_DIRECTORY = (CENTRAL_BANK, TREASURY, *(bank.bic for bank in BANKS))

FAMILY_NAMES = (
    "Sok", "Chan", "Kim", "Chea", "Heng", "Lim", "Ly", "Meas", "Nhem", "Ouk", "Pich", "Prak", "Sam", "San", "Seng",
    "Sim", "Som", "Tep", "Uch", "Yim", "Keo", "Long", "Mao", "Nuon", "Phan", "Ros", "Tan", "Touch", "Vong", "Yos",
    "Hun", "Khiev",
)  # fmt: skip
GIVEN_NAMES = (
    "Bopha", "Chanthou", "Dara", "Kosal", "Makara", "Monyroth", "Nary", "Phalla", "Piseth", "Ratana", "Rithy",
    "Samnang", "Sophea", "Sokha", "Sothea", "Sreymom", "Thida", "Vanna", "Veasna", "Vuthy", "Bunthoeun", "Channary",
    "Kanika", "Leakhena", "Narith", "Phirun", "Sambath", "Socheat", "Theary", "Visal", "Virak", "Ravy",
)  # fmt: skip
PEOPLE = tuple(f"{family} {given}" for family in FAMILY_NAMES for given in GIVEN_NAMES)
"""1,024 official Latin names, family name first."""

TRADES = (
    "Construction", "Medical Supply", "Printing House", "Irrigation Works", "Stationery", "Road Engineering",
    "Catering", "Fuel Station", "School Furniture", "Water Supply", "Electric Works", "Seed Trading", "Vehicle Repair",
    "Security Service", "Information Technology", "Cleaning Service",
)  # fmt: skip
_FORMS = ("Co., Ltd", "Enterprise", "PLC", "Group")
SUPPLIERS = tuple(
    f"{family} {given} {trade} {_FORMS[position % len(_FORMS)]}"
    for position, (family, given) in enumerate(zip(FAMILY_NAMES, GIVEN_NAMES, strict=True))
    for trade in TRADES
)
"""512 invented suppliers."""

STREETS = tuple(f"Street {number}" for number in range(51, 600, 17))

KHMER_REMITTANCES = (
    "ទូទាត់ថ្លៃសម្ភារៈការិយាល័យ",
    "ទូទាត់ថ្លៃជួសជុលផ្លូវ",
    "ទូទាត់ថ្លៃឱសថ និងឧបករណ៍ពេទ្យ",
    "ទូទាត់ថ្លៃអគ្គិសនី",
    "ទូទាត់ថ្លៃទឹកស្អាត",
    "ទូទាត់ថ្លៃបោះពុម្ពសៀវភៅសិក្សា",
    "ទូទាត់ថ្លៃសាងសង់អាគារសិក្សា",
    "ឧបត្ថម្ភធនសាលារៀន",
)
LATIN_REMITTANCES = (
    "Office supplies",
    "Road repair works",
    "Medicine and medical equipment",
    "Electricity",
    "Water supply",
    "Printing of school books",
    "Construction of school building",
    "School grant",
)
SALARY_REMITTANCE_KHMER = "ប្រាក់បៀវត្សមន្ត្រីរាជការ"
