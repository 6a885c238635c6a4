"""Looking into a model with one text: what each state predicts, as a table, picture and page."""
