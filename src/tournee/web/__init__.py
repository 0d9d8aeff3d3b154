"""What people and programs see of Tournée over HTTP: console, JSON API, health, and the door to Bull Board.

It holds no SQL and wires nothing: `app.create_app` gets all it needs as `ports.WebServices`.
"""
