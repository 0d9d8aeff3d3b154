"""Mail that was handed in by `tournee import`: the mail source over staged mails."""
