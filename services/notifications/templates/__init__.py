"""The mails: one MJML and one text file each, their sentences in `texts/` by language."""
