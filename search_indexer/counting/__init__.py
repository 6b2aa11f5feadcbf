"""What is counted of hits and channels: by fields, by time, by both; what stands out; what happened last."""
