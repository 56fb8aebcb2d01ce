"""The orders, in a database file on the volume."""

import sqlite3


def add_order():
    with sqlite3.connect("/data/shop.db", timeout=30) as database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO orders DEFAULT VALUES")
        return database.execute("SELECT count(*) FROM orders").fetchone()[0]
