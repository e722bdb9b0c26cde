"""The bundled demo: slides and truth made by :mod:`hubseg.synthetic`, and what runs on them.

Responsible for nothing but being found, also from a wheel; holds no code.
"""
