"""Ordinary tables, shaped as public ones are: nothing is to be guessed or suspected in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tests.reading.cases import Case, make_case
from tests.reading.tables import (
    Column,
    Table,
    draw_labels,
    make_rng,
    make_shop,
    write_plainly,
    write_text,
)

ROWS = 200


class Draft:
    """Columns that are drawn one after another from the stream of a name."""

    def __init__(self, name: str, rows: int = ROWS) -> None:
        self.rng = make_rng(name)
        self.rows = rows
        self.columns: dict[str, Column] = {}

    def number(self, name: str, mean: float, spread: float, decimals: int = 1) -> Draft:
        """Draw measurements, none below a tenth of the mean."""
        values = np.maximum(self.rng.normal(mean, spread, self.rows), abs(mean) / 10)
        self.columns[name] = Column("number", np.round(values, decimals).tolist())
        return self

    def count(self, name: str, low: int, high: int) -> Draft:
        """Draw whole numbers."""
        values = self.rng.integers(low, high, self.rows).astype(float)
        self.columns[name] = Column("number", values.tolist())
        return self

    def choice(self, name: str, *names: str) -> Draft:
        """Draw categories."""
        self.columns[name] = Column("category", self.rng.choice(names, self.rows).tolist())
        return self

    def days(self, name: str) -> Draft:
        """Count days from one on."""
        start = pd.Timestamp("2021-01-03")
        values = [start + pd.Timedelta(days=i) for i in range(self.rows)]
        self.columns[name] = Column("time", values)
        return self

    def ids(self, name: str, form: str) -> Draft:
        """Give each row a number of its own."""
        values = [form.format(i) for i in self.rng.permutation(self.rows) + 1000]
        self.columns[name] = Column("any", values)
        return self

    def gaps(self, name: str, every: int) -> Draft:
        """Leave cells of a column empty."""
        column = self.columns[name]
        values = [None if i % every == 3 else v for i, v in enumerate(column.values)]
        self.columns[name] = Column(column.kind, values)
        return self

    def label(self, name: str, *names: str) -> Table:
        """Draw a label of two or more names that depends on the first number."""
        numbers = [c.values for c in self.columns.values() if c.kind == "number"]
        signal = np.array([0.0 if v is None else v for v in numbers[0]], dtype=float) if numbers \
            else self.rng.normal(0, 1, self.rows)  # fmt: skip
        if len(names) == 2:
            column = draw_labels(signal, self.rng, (names[0], names[1]))
        else:
            ranks = np.argsort(np.argsort(signal + self.rng.normal(0, signal.std(), self.rows)))
            column = Column("label", [names[int(r * len(names) / self.rows)] for r in ranks])
        columns = {**self.columns, name: column}
        return Table(name, columns, {n: write_plainly(c) for n, c in columns.items()})


def list_cases() -> list[Case]:
    """List the clean tables."""
    cases = [
        make_case(f"clean_{name}", 1, write_text(table, mark), table, file=file, clean=True)
        for name, mark, file, table in [*_list_measured(), *_list_mixed(), *_list_people()]
    ]
    return [*cases, *_list_written_otherwise()]


Clean = tuple[str, str, str, Table]


def _list_measured() -> Sequence[Clean]:
    flower, wine = Draft("iris"), Draft("wine")
    flower.number("sepal_length", 5.8, 0.8).number("sepal_width", 3.1, 0.4)
    flower.number("petal_length", 3.8, 1.6).number("petal_width", 1.2, 0.6)
    wine.number("fixed acidity", 8.3, 1.7).number("volatile acidity", 0.5, 0.1, 3)
    wine.number("density", 0.997, 0.002, 5).number("pH", 3.3, 0.15, 2).number("alcohol", 10.4, 1)
    shell = Draft("abalone").choice("Sex", "M", "F", "I").number("Length", 0.52, 0.1, 3)
    shell.number("Whole weight", 0.83, 0.3, 4).number("Shell weight", 0.24, 0.1, 3)
    tumour = Draft("tumour").ids("id", "{}").number("radius_mean", 14.1, 3.5, 2)
    tumour.number("texture_mean", 19.3, 4.3, 2).number("smoothness_mean", 0.096, 0.014, 5)
    genes = Draft("genes", 80)
    for i in range(60):
        genes.number(f"gene_{i}", 7, 1.5, 3)
    glass = Draft("glass").number("RI", 1.518, 0.003, 5).number("Na", 13.4, 0.8, 2)
    glass.number("Mg", 2.7, 0.9, 2)
    readings = Draft("readings").days("date").number("temperature", 15, 6)
    readings.number("humidity", 61, 12, 0).number("wind", 9, 3)
    return [
        ("flowers", ",", "iris.csv", flower.label("species", "setosa", "versicolor", "virginica")),
        ("wine", ";", "winequality-red.csv", wine.label("quality", "3", "5", "6", "7", "8")),
        ("shells", ",", "abalone.data", shell.label("age", "young", "old")),
        ("tumours", ",", "data.csv", tumour.label("diagnosis", "M", "B")),
        ("genes", "\t", "expression.tsv", genes.label("tissue", "tumour", "normal")),
        ("glass", ",", "glass.csv", glass.label("Type", "1", "2", "3", "5", "7")),
        ("weather", ",", "weather.csv", readings.label("RainTomorrow", "Yes", "No")),
    ]


def _list_mixed() -> Sequence[Clean]:
    bikes = Draft("bikes").days("dteday").count("season", 1, 5).choice("workingday", "0", "1")
    bikes.number("temp", 0.5, 0.15, 6).count("casual", 2, 900)
    cars = Draft("cars").choice("buying", "low", "med", "high", "vhigh")
    cars.choice("doors", "2", "3", "4", "5more").choice("safety", "low", "med", "high")
    miles = Draft("mpg").number("mpg", 23, 7).count("cylinders", 3, 9)
    miles.number("weight", 2970, 800, 0)
    miles.choice("origin", "usa", "europe", "japan")
    caps = Draft("mushrooms").choice("cap-shape", "x", "b", "f", "k").choice("odor", "a", "l", "n")
    caps.choice("gill-color", "k", "n", "g", "p", "w")
    stones = Draft("diamonds").number("carat", 0.8, 0.3, 2).choice("color", "D", "E", "F", "G", "H")
    stones.choice("clarity", "SI2", "VS1", "VVS2").count("price", 330, 18000)
    flights = Draft("flights").count("dep_delay", -12, 90).choice("carrier", "UA", "AA", "B6", "DL")
    flights.choice("origin", "EWR", "LGA", "JFK").count("distance", 90, 4900)
    power = Draft("power")
    hours = [pd.Timestamp("2022-03-01") + pd.Timedelta(hours=i) for i in range(ROWS)]
    power.columns["timestamp"] = Column("time", hours)
    power.number("load_mw", 4200, 600, 1).number("price_eur", 61, 20, 2)
    hourly = power.label("peak", "True", "False").spell(
        "timestamp", lambda t: t.strftime("%Y-%m-%d %H:%M:%S")
    )
    air = Draft("air").number("Ozone", 42, 20, 0).gaps("Ozone", 6).count("Solar", 7, 330)
    air.gaps("Solar", 29).number("Wind", 10, 3).count("Month", 5, 10).count("Day", 1, 32)
    places = Draft("places").choice("zip", "02134", "08540", "10001", "94103", "60601")
    places.choice("state", "MA", "NJ", "NY", "CA", "IL").number("income", 61000, 9000, 0)
    air_table = air.label("Level", "high", "low")
    for name in ("Ozone", "Solar"):
        written = ["NA" if c == "" else c for c in air_table.cells[name]]
        air_table = air_table.rewrite(name, written)
    return [
        ("bikes", ",", "day.csv", bikes.label("demand", "high", "low")),
        ("cars", ",", "car.csv", cars.label("class", "unacc", "acc", "good", "vgood")),
        ("miles", ",", "mpg.csv", miles.label("economy", "good", "poor")),
        ("mushrooms", ",", "mushrooms.csv", caps.label("class", "e", "p")),
        ("stones", ",", "diamonds.csv", stones.label("cut", "Fair", "Good", "Ideal")),
        ("flights", ",", "flights.csv", flights.label("late", "on time", "late")),
        ("power", ",", "power.csv", hourly),
        ("air", ",", "airquality.csv", air_table),
        ("places", "|", "places.txt", places.label("vote", "a", "b")),
    ]


def _list_people() -> Sequence[Clean]:
    ship = Draft("passengers").count("Pclass", 1, 4).choice("Sex", "male", "female")
    ship.number("Age", 30, 12, 0).gaps("Age", 5).count("SibSp", 0, 5).number("Fare", 32, 20, 4)
    ship.choice("Embarked", "S", "C", "Q")
    birds = Draft("penguins").choice("island", "Torgersen", "Biscoe", "Dream")
    birds.number("bill_length_mm", 44, 5).gaps("bill_length_mm", 90)
    birds.number("body_mass_g", 4200, 800, 0)
    birds.choice("sex", "male", "female").gaps("sex", 40)
    income = Draft("adult").count("age", 17, 80).choice("workclass", "Private", "State-gov")
    income.gaps("workclass", 15).choice("education", "HS-grad", "Bachelors", "11th", "1st-4th")
    income.count("hours-per-week", 10, 80)
    bank = Draft("bank").count("age", 19, 80).choice("job", "admin.", "technician", "blue-collar")
    bank.choice("housing", "yes", "no").number("euribor3m", 3.6, 0.9, 3).count("campaign", 1, 12)
    calls = Draft("telco").ids("customerID", "{}-GNVDE").choice("Partner", "Yes", "No")
    calls.count("tenure", 1, 73).number("MonthlyCharges", 65, 25, 2)
    calls.choice("InternetService", "DSL", "Fiber optic", "No")
    heart = Draft("heart").count("age", 29, 77).choice("sex", "0", "1").count("trestbps", 94, 200)
    heart.count("chol", 126, 400).number("oldpeak", 1.4, 0.9).count("thalach", 80, 200)
    loans = Draft("loans").ids("Loan_ID", "LP00{}").choice("Married", "Yes", "No")
    loans.count("Dependents", 0, 4).number("ApplicantIncome", 5400, 1900, 0)
    loans.choice("Property_Area", "Urban", "Rural", "Semiurban")
    staff = Draft("staff").ids("EmployeeNumber", "{}").count("Age", 18, 60)
    staff.choice("BusinessTravel", "Travel_Rarely", "Travel_Frequently", "Non-Travel")
    staff.count("MonthlyIncome", 1000, 19000).choice("OverTime", "Yes", "No")
    income_table = income.label("income", "<=50K", ">50K")
    marks = ["?" if c == "" else c for c in income_table.cells["workclass"]]
    return [
        ("passengers", ",", "titanic.csv", ship.label("Survived", "0", "1")),
        ("birds", ",", "penguins.csv", birds.label("species", "Adelie", "Gentoo", "Chinstrap")),
        ("income", ",", "adult.csv", income_table.rewrite("workclass", marks)),
        ("bank", ";", "bank-full.csv", bank.label("y", "yes", "no")),
        ("calls", ",", "telco.csv", calls.label("Churn", "Yes", "No")),
        ("heart", ",", "heart.csv", heart.label("target", "0", "1")),
        ("loans", ",", "loans.csv", loans.label("Loan_Status", "Y", "N")),
        ("staff", ",", "hr.csv", staff.label("Attrition", "Yes", "No")),
    ]


def _list_written_otherwise() -> list[Case]:
    """Tables with texts, other marks and dates, of which a person is certain all the same."""
    reviews = Draft("reviews", 150).count("stars", 1, 6)
    words = ("good", "bad", "slow", "quick", "late", "and", "but", "very", "never", "would", "buy")
    texts = [
        f'Order {i}: "{" ".join(reviews.rng.choice(words, 9))}", they said.\nNo more, no less.'
        for i in range(150)
    ]
    reviews.columns["text"] = Column("text", texts)
    reviewed = reviews.label("sentiment", "positive", "negative")
    sms = Draft("sms", 150).count("length", 10, 160)
    sms.columns["message"] = Column(
        "text", [f"{' '.join(sms.rng.choice(words, 7))} {i}" for i in range(150)]
    )
    energy = Draft("energy").days("Datum").number("Verbrauch", 34, 9, 2).number("Temperatur", 11, 4)
    german = energy.label("Stufe", "hoch", "tief").spell("Datum", lambda t: t.strftime("%d.%m.%Y"))
    for name in ("Verbrauch", "Temperatur"):
        german = german.spell(name, lambda v: f"{v:.2f}".replace(".", ","))
    sales = Draft("sales").days("order_date").count("quantity", 1, 40)
    sales.number("unit_price", 31, 9, 2)
    british = sales.label("returned", "Y", "N").spell(
        "order_date", lambda t: t.strftime("%d/%m/%Y")
    )
    shop = make_shop("clean shop")
    excel = write_text(shop, ";").replace("\n", "\r\n")
    indexed = Draft("indexed").number("carat", 0.8, 0.3, 2).count("price", 330, 18000)
    table = indexed.label("cut", "Good", "Ideal")
    lines = write_text(table).splitlines()
    numbered = "".join(f"{i if i else ''},{line}\n" for i, line in enumerate(lines))
    spam = sms.label("label", "spam", "ham")
    return [
        make_case("clean_reviews", 1, write_text(reviewed), reviewed, clean=True),
        make_case("clean_messages", 1, write_text(spam, "\t"), spam, file="sms.tsv", clean=True),
        make_case("clean_german", 1, write_text(german, ";"), german, clean=True),
        make_case("clean_british", 1, write_text(british), british, clean=True),
        make_case("clean_export_of_excel", 1, excel, shop, encoding="utf-8-sig", clean=True),
        make_case("clean_numbered", 1, numbered, table, clean=True),
    ]
