"""How people sign in: django-allauth, sessions, second factors, and step-up."""
