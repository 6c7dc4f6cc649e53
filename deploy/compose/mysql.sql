-- Run once, when the data folder is new: the user restock may make and use Restock's databases, and touch no others.
GRANT ALL PRIVILEGES ON `%\_db`.* TO 'restock'@'%';
