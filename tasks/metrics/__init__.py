"""The field's own measures, counted by hand so that the base install has them."""
