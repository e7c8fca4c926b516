"""Language models that generate text token by token: with a cache, against full recomputation."""
