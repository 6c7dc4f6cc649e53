"""Every topic of Restock itself."""

from __future__ import annotations

from restock.inventory import news as inventory_news
from restock.orders import port as orders_port
from restock.purchasing import model as purchasing_model

TOPICS = {
    orders_port.TOPIC: 6,
    inventory_news.TOPIC: inventory_news.PARTITIONS,
    purchasing_model.TOPIC: purchasing_model.PARTITIONS,
}
"""Every topic with its number of partitions, which never changes."""
