# What a person does who has written the file.
systemctl daemon-reload && systemctl restart nginx
